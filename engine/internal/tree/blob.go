package tree

import "sync"

// Blob is the content of a file, with what was found out about it: facts that depend on nothing else, and that
// each build of each tree would have to find out again.
type Blob struct {
	content []byte
	intact  func() ([]byte, bool)
	facts   sync.Map
}

// NewBlob holds a content, which must not be changed any more.
func NewBlob(content []byte) *Blob {
	b := &Blob{content: content}
	b.intact = sync.OnceValues(func() ([]byte, bool) { return intactStanza(content) })
	return b
}

// fact is the outcome of a check of the content, which is made once for each name, also where several builds ask.
func (b *Blob) fact(name string, check func([]byte) error) error {
	once := sync.OnceValue(func() error {
		content, _ := b.intact()
		return check(content)
	})
	known, _ := b.facts.LoadOrStore(name, once)
	return known.(func() error)()
}
