package clients

// Candidate is the client that a metadata document would be if it were live; it stands in no registry. Its version is 0 and it has no
// secret. The error is *FieldErrors.
func Candidate(document []byte) (*Client, error) {
	m, err := ParseMetadata(document)
	if err != nil {
		return nil, err
	}
	return newClient(m, 0, false, nil)
}
