package clients

import "strings"

// FieldError is one fault of a client's metadata, for whoever registers it.
type FieldError struct {
	Field   string `json:"field"`   // the member's name; "redirect_uris[1]" for an element
	Problem string `json:"problem"` // what is wrong
	Remedy  string `json:"remedy"`  // what to write instead
}

// FieldErrors are all faults found, in the order of the fields.
type FieldErrors struct{ List []FieldError }

// Error returns the faults on one line.
func (e *FieldErrors) Error() string {
	lines := make([]string, len(e.List))
	for i, f := range e.List {
		lines[i] = f.Field + " " + f.Problem
	}
	return strings.Join(lines, "; ")
}

// add notes a fault.
func (e *FieldErrors) add(field, problem, remedy string) {
	e.List = append(e.List, FieldError{Field: field, Problem: problem, Remedy: remedy})
}

// orNil returns e as an error, or nil if nothing was found.
func (e *FieldErrors) orNil() error {
	if len(e.List) == 0 {
		return nil
	}
	return e
}
