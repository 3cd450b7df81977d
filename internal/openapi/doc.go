// Package openapi describes a JSON API from the Go types that its handlers take and give (OpenAPI 3.1), and holds requests to that
// description: what is documented and what is accepted cannot differ.
//
// Struct tags say what a type alone does not: doc, example, enum, pattern, minLength, maxLength, minimum, maximum, minItems, maxItems,
// uniqueItems, readOnly, and type:"object" for a json.RawMessage. On a list the ones about texts are about its elements. A member without
// omitempty or omitzero is required. Objects are closed: a member that is not described is refused.
//
// It is strict where encoding/json is not: names match exactly, no member stands twice, nothing follows the document, texts are valid
// UTF-8 without control characters.
package openapi
