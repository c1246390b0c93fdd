package tree

import (
	"fmt"
	"sync"

	"github.com/flux-handover/engine/internal/protocol"
)

// Store keeps contents and trees by digest for the life of the process, so that each is sent once. A digest
// names one content for ever, so what a request gives for a digest that is known is not looked at.
type Store struct {
	lock  sync.RWMutex
	blobs map[string]*Blob
	trees map[string]*Tree
}

// NewStore is empty.
func NewStore() *Store {
	return &Store{blobs: map[string]*Blob{}, trees: map[string]*Tree{}}
}

// Add takes over the contents and trees of a request.
func (s *Store) Add(request protocol.Request) error {
	s.lock.Lock()
	defer s.lock.Unlock()
	for digest, text := range request.Texts {
		s.addBlob(digest, []byte(text))
	}
	for digest, content := range request.Binaries {
		s.addBlob(digest, content)
	}
	for digest, described := range request.Trees {
		if _, known := s.trees[digest]; known {
			continue
		}
		made, err := s.tree(described)
		if err != nil {
			return err
		}
		s.trees[digest] = made
	}
	return nil
}

func (s *Store) addBlob(digest string, content []byte) {
	if _, known := s.blobs[digest]; !known {
		s.blobs[digest] = NewBlob(content)
	}
}

func (s *Store) tree(described *protocol.StoredTree) (*Tree, error) {
	entries := make(map[string]*entry, len(described.Files))
	for p, digest := range described.Files {
		blob, known := s.blobs[digest]
		if !known {
			return nil, &protocol.Error{Code: protocol.InvalidRequest, Message: fmt.Sprintf("the content of %q was not stored", p)}
		}
		entries[p] = fileEntry(blob)
	}
	return sources{files: []map[string]*entry{entries}, links: described.Links, omitted: described.Omitted}.tree()
}

// Tree is a tree that was stored.
func (s *Store) Tree(digest string) (*Tree, error) {
	s.lock.RLock()
	defer s.lock.RUnlock()
	if known, ok := s.trees[digest]; ok {
		return known, nil
	}
	return nil, &protocol.Error{Code: protocol.InvalidRequest, Message: "the tree was not stored"}
}
