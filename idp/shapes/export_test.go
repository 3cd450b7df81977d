package shapes

// Held returns how many bytes of shapes are in memory, counted anew.
func (r *Recorder) Held() (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, t := range r.held {
		for text := range t.counts {
			if text != beyondText {
				n += len(text)
			}
		}
	}
	return n
}
