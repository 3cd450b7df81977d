# Everything a contributor needs. `make run` to see it, `make test` to trust it.

GOLANGCI := go run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
FUZZTIME ?= 30s
TLS      ?=

# The server builds without a C compiler; only the race detector needs one.
export CGO_ENABLED ?= 0

.PHONY: build run agent test check lint vet fuzz bench cover vectors clean

build:
	go build -o bin/ ./cmd/...

# TLS=1 serves https with certificates of a private CA in var/demo/ca.pem.
run:
	@go build -o bin/ ./cmd/demo
	@exec ./bin/demo $(if $(filter 1 true yes,$(TLS)),-tls)

# The card app by itself, for a citizen's computer.
agent:
	go build -o bin/ ./cmd/cardagent

# Installs what it can, then runs vet, lint, Go, browser and client-library
# tests; the last line counts them all.
test:
	@scripts/install-test-deps
	@go run ./internal/testrun

check: build test

vet:
	go vet ./...

lint:
	$(GOLANGCI) run

fuzz:
	@scripts/fuzz $(FUZZTIME)

bench:
	go test -run '^$$' -bench . -benchmem ./...

cover:
	@mkdir -p build
	CGO_ENABLED=1 go run ./internal/testenv go test -race -coverpkg=./... -coverprofile=build/cover.out ./...
	go tool cover -func=build/cover.out | tail -n 1
	go tool cover -html=build/cover.out -o build/cover.html

# Rewrites the generated test data; a difference afterwards is a change of behaviour.
vectors:
	go generate ./...
	git diff --stat

clean:
	rm -rf bin build
