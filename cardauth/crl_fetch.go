package cardauth

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
)

// downloaded is what a mirror answered: a verified list, or nothing new.
type downloaded struct {
	list *crl // nil: the one we have is still the newest
	tag  string
	copy *listCopy // the list as it came; nil: no directory
}

// listCopy is a file for the next start. A directory that cannot be written to
// costs that start its lists, and nothing else.
type listCopy struct {
	file *os.File
	path string // where it goes when the list is good
	err  error
}

// Write never fails: see listCopy.
func (c *listCopy) Write(b []byte) (int, error) {
	if c.err == nil {
		_, c.err = c.file.Write(b)
	}
	return len(b), nil
}

// keep gives the file its name, or drops it.
func (d *downloaded) keep(worthIt bool) error {
	if d.copy == nil {
		return nil
	}
	name, err := d.copy.file.Name(), errors.Join(d.copy.err, d.copy.file.Close())
	if worthIt && err == nil && d.list != nil {
		err = os.Rename(name, d.copy.path)
	}
	if !worthIt || err != nil || d.list == nil {
		err = errors.Join(err, os.Remove(name)) // what is left over is removed at the next start
	}
	return err
}

// download asks the mirror for a list, reads it as it arrives and judges it. At
// most maxDownloads are under way at once.
func (r *Revocation) download(ctx context.Context, l *heldList) (downloaded, error) {
	var d downloaded
	ctx, cancel := context.WithTimeout(ctx, r.deps.ListTimeout)
	defer cancel()
	if err := r.downloads.Acquire(ctx, 1); err != nil {
		return d, err
	}
	defer r.downloads.Release(1)
	req, err := newRequest(ctx, http.MethodGet, r.deps.CRL+"/"+l.key.path(), nil)
	if err != nil {
		return d, err
	}
	req.Header.Set("Accept-Encoding", "identity") // what is unpacked has no bound that anybody wrote down
	_, have := l.good(r.deps.Now())
	l.mu.Lock()
	if have && l.tag != "" {
		req.Header.Set("If-None-Match", l.tag)
	}
	d.tag = l.tag
	l.mu.Unlock()
	res, err := send(r.client, req)
	if err != nil {
		return d, err
	}
	defer func() {
		if res.StatusCode != http.StatusOK { // a list that was read to its end leaves nothing, and what was not is not worth the wait
			drain(res.Body)
		}
		_ = res.Body.Close() // nothing is written
	}()
	if res.StatusCode == http.StatusNotModified && have {
		return d, nil
	}
	if err = wantOK(res); err != nil {
		return d, err
	}
	if d.tag = res.Header.Get("ETag"); len(d.tag) > maxTag {
		d.tag = ""
	}
	var body io.Reader = res.Body
	if d.copy = r.openCopy(l.key); d.copy != nil {
		body = io.TeeReader(body, d.copy)
	}
	d.list, err = r.judgeList(body, l.key, l.issuer)
	return d, err
}

const (
	maxTag       = 256 // bytes of an entity tag
	maxDownloads = 16  // at once
)

// openCopy opens a file beside the one that the list will have.
func (r *Revocation) openCopy(key listKey) *listCopy {
	if r.deps.Directory == "" {
		return nil
	}
	path := filepath.Join(r.deps.Directory, key.path())
	err := os.MkdirAll(filepath.Dir(path), 0o700)
	var f *os.File
	if err == nil {
		f, err = os.CreateTemp(filepath.Dir(path), temporaryPrefix)
	}
	if err != nil {
		r.metrics.copyFailed()
		return nil
	}
	return &listCopy{file: f, path: path}
}

const temporaryPrefix = ".tmp-"

// fromDirectory reads the list that an earlier start left behind. It is judged
// like one from the mirror: what lies in a file proves nothing.
func (r *Revocation) fromDirectory(l *heldList) (*crl, error) {
	if r.deps.Directory == "" {
		return nil, errors.New("no directory")
	}
	f, err := os.Open(filepath.Join(r.deps.Directory, l.key.path()))
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // nothing was written
	return r.judgeList(f, l.key, l.issuer)
}
