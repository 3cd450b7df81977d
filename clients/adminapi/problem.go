package adminapi

// Reason says why the API refuses, for programs.
type Reason string

// The reasons.
const (
	Malformed       Reason = "malformed"         // 400: the request is not what the operation takes
	Unauthenticated Reason = "unauthenticated"   // 401: no token, or none that is good; WWW-Authenticate says what is missing
	NotOperator     Reason = "not_operator"      // 403: the person signed in, and is nobody here
	Suspended       Reason = "suspended"         // 403: an operator who was stopped
	RoleMissing     Reason = "role_missing"      // 403: an operator without the role that it takes
	NotYours        Reason = "not_yours"         // 403: a service of another organisation
	SamePerson      Reason = "same_person"       // 403: who asked for it cannot approve it
	NotFound        Reason = "not_found"         // 404
	Conflict        Reason = "conflict"          // 409: somebody changed it meanwhile; Current is what it is now
	WrongState      Reason = "wrong_state"       // 409: not possible in the state that it is in
	NotReady        Reason = "not_ready"         // 409: the pre-flight is not green, or the impact was not looked at, and no exception was written
	TooLarge        Reason = "too_large"         // 413
	WrongType       Reason = "wrong_type"        // 415
	Invalid         Reason = "invalid"           // 422: fields are wrong; Errors names each with what to do
	TooMany         Reason = "too_many_requests" // 429: Retry-After says when
	Failed          Reason = "failed"            // 500, 503: the hub's own fault; nothing was stored
)

// Problem is the body of every answer that is not a success, application/problem+json (RFC 9457).
type Problem struct {
	Type   string       `json:"type" doc:"about:blank"`
	Title  string       `json:"title" doc:"The status in words"`
	Status int          `json:"status"`
	Reason Reason       `json:"reason" doc:"Why, for programs"`
	Detail string       `json:"detail" doc:"Why, and what to do next, for people"`
	Trace  string       `json:"trace,omitempty" doc:"Reference number of the request, as in the hub's log"`
	Errors []FieldError `json:"errors,omitempty" doc:"What is wrong, field by field"`
	// Current is set with reason conflict.
	Current *Draft `json:"current,omitempty" doc:"The draft as somebody else left it"`
}

// FieldError says what is wrong with one field, and what to do.
type FieldError struct {
	Field   string `json:"field" example:"redirect_uris[0]"`
	Problem string `json:"problem" example:"has a fragment"`
	Remedy  string `json:"remedy" example:"leave out the part from #"`
}
