package remote

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"time"
)

// Limits of what is fetched for one reference.
const (
	maxBytes   = 64 << 20
	maxSeconds = 60 * time.Second
)

// What the process had before Seal took it away.
var (
	gitProgram, _ = exec.LookPath("git")
	searchPath    = os.Getenv("PATH")
	transport     = http.DefaultTransport
)

// Seal makes sure that kustomize itself reaches nothing: its HTTP client has no connection, and it
// finds no git. What a request allows is fetched by this package beforehand.
func Seal() {
	http.DefaultTransport = refusing{}
	_ = os.Setenv("PATH", "")
}

// Network is what a request allows, and what was fetched for it: each reference once.
type Network struct {
	Allowed bool
	// Protocols that git may use, as in GIT_ALLOW_PROTOCOL. A repository must not read others on this disk.
	Protocols string
	bodies    map[string]fetched[[]byte]
	clones    map[Repository]fetched[*Clone]
}

type fetched[T any] struct {
	content T
	err     error
}

// New is the network of one request.
func New(allowed bool) *Network {
	return &Network{
		Allowed:   allowed,
		Protocols: "https:http:ssh",
		bodies:    map[string]fetched[[]byte]{},
		clones:    map[Repository]fetched[*Clone]{},
	}
}

// Get fetches a URL.
func (n *Network) Get(url string) ([]byte, error) {
	known, ok := n.bodies[url]
	if !ok {
		known.content, known.err = get(url)
		n.bodies[url] = known
	}
	return known.content, known.err
}

func get(url string) ([]byte, error) {
	client := http.Client{Transport: transport, Timeout: maxSeconds}
	response, err := client.Get(url)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode < 200 || response.StatusCode > 299 {
		return nil, fmt.Errorf("%s answers %s", url, response.Status)
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxBytes+1))
	if err == nil && len(body) > maxBytes {
		err = fmt.Errorf("%s is larger than %d bytes", url, maxBytes)
	}
	return body, err
}

// Clone fetches the files of a repository.
func (n *Network) Clone(repository Repository) (*Clone, error) {
	key := Repository{URL: repository.URL, Ref: repository.Ref}
	known, ok := n.clones[key]
	if !ok {
		known.content, known.err = clone(key, n.Protocols)
		n.clones[key] = known
	}
	return known.content, known.err
}

// Open lets kustomize read the bodies that were fetched, and nothing else, until the returned function is called.
func (n *Network) Open() func() {
	http.DefaultTransport = refusing{n.bodies}
	return func() { http.DefaultTransport = refusing{} }
}

// refusing answers from what was fetched.
type refusing struct {
	bodies map[string]fetched[[]byte]
}

// RoundTrip implements http.RoundTripper.
func (r refusing) RoundTrip(request *http.Request) (*http.Response, error) {
	body, ok := r.bodies[request.URL.String()]
	if !ok || body.err != nil {
		return nil, fmt.Errorf("network refused: %s", request.URL.Redacted())
	}
	return response(request, body.content), nil
}
