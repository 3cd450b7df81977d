# Everything a contributor needs. `make run` to see it, `make test` to trust it.

GOLANGCI := go run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
FUZZTIME   ?= 30s
TLS        ?=
CLIENTS    ?=
ALLOW      ?=
TRUST      ?=
CLIENT_CA  ?=
LOGIN_RATE ?=

# The server builds without a C compiler; only the race detector needs one.
export CGO_ENABLED ?= 0

.PHONY: build run agent cross test check lint vet fuzz bench cover vectors clean

build:
	go build -o bin/ ./cmd/...

# TLS=1 serves https with certificates of a private CA in var/demo/ca.pem. For a test client beside it: CLIENTS=file registers it,
# ALLOW=host:port[,…] lets the hub reach it, TRUST=pem trusts its certificate, CLIENT_CA=pem authorities of client
# certificates, LOGIN_RATE=n allows a browser n card challenges a minute.
run:
	@go build -o bin/ ./cmd/demo
	@exec ./bin/demo $(if $(filter 1 true yes,$(TLS)),-tls) $(if $(CLIENTS),-clients $(CLIENTS)) $(if $(ALLOW),-allow $(ALLOW)) \
		$(if $(TRUST),-trust $(TRUST)) $(if $(CLIENT_CA),-client-ca $(CLIENT_CA)) $(if $(LOGIN_RATE),-login-rate $(LOGIN_RATE)) \
		$(if $(RECHECK),-recheck $(RECHECK))

# The card app with card readers, for a citizen's computer. On Linux it needs a C compiler and pcsc-lite's headers.
agent:
	@[ "$$(uname)" != Linux ] || pkg-config --exists libpcsclite || \
		{ echo "make agent: on Debian, install gcc, pkg-config and libpcsclite-dev" >&2; exit 1; }
	CGO_ENABLED=1 go build -tags pcsc -o bin/cardagent ./cmd/cardagent

# The card app for the other systems, as far as no C compiler of theirs is needed: with readers for Windows, without for macOS.
cross:
	GOOS=windows CGO_ENABLED=0 go build -tags pcsc -o /dev/null ./cmd/cardagent
	GOOS=darwin CGO_ENABLED=0 go build -tags pcsc -o /dev/null ./cmd/cardagent

# Installs what it can, then runs vet, lint, Go, browser and client-library
# tests; the last line counts them all.
test:
	@scripts/install-test-deps
	@go run ./internal/testrun

check: build test

vet:
	go vet ./...

# What only a program with card readers contains is looked at where it can be built.
lint:
	$(GOLANGCI) run
	@! pkg-config --exists libpcsclite 2>/dev/null || \
		CGO_ENABLED=1 $(GOLANGCI) run --build-tags pcsc ./cardauth/pcsc/... ./cmd/cardagent/...

fuzz:
	@scripts/fuzz $(FUZZTIME)

bench:
	go test -run '^$$' -bench . -benchmem ./...
	@! pkg-config --exists libpcsclite 2>/dev/null || \
		CGO_ENABLED=1 go test -tags pcsc -run '^$$' -bench . -benchmem ./cardauth/pcsc

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
