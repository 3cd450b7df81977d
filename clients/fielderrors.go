package clients

import "strings"

// FieldError is one fault of a client's metadata, for whoever registers it.
type FieldError struct {
	Field   string `json:"field"`   // the member's name; "redirect_uris[1]" for an element
	Problem string `json:"problem"` // what is wrong
	Remedy  string `json:"remedy"`  // what to write instead
}

// maxFaults bounds what one document, or one seed file, can make us say.
const maxFaults = 100

// FieldErrors are the faults found, the first hundred of them.
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
	if len(e.List) == maxFaults {
		return
	}
	e.List = append(e.List, FieldError{Field: field, Problem: problem, Remedy: remedy})
}

// orNil returns e as an error, or nil if nothing was found.
func (e *FieldErrors) orNil() error {
	if len(e.List) == 0 {
		return nil
	}
	return e
}

// faultOf is one fault, as *FieldErrors.
func faultOf(field, problem, remedy string) error {
	var faults FieldErrors
	faults.add(field, problem, remedy)
	return faults.orNil()
}
