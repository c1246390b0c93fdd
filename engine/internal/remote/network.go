package remote

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
)

// gitProgram is found before Seal takes the search path away.
var gitProgram, _ = exec.LookPath("git")

// Seal makes sure that kustomize itself reaches nothing: its HTTP client has no connection, and it
// finds no git. What a request allows is fetched by this package beforehand.
func Seal() {
	http.DefaultTransport = refusing{}
	_ = os.Setenv("PATH", "")
}

// Network is what a request allows.
type Network struct {
	Allowed bool
}

// Fetched are the bodies of URLs that were got for one build.
type Fetched map[string][]byte

// Open lets kustomize read what was fetched, and nothing else, until the returned function is called.
func (n Network) Open(fetched Fetched) func() {
	http.DefaultTransport = refusing{fetched}
	return func() { http.DefaultTransport = refusing{} }
}

// refusing answers from what was fetched.
type refusing struct {
	fetched Fetched
}

// RoundTrip implements http.RoundTripper.
func (r refusing) RoundTrip(request *http.Request) (*http.Response, error) {
	body, ok := r.fetched[request.URL.String()]
	if !ok {
		return nil, fmt.Errorf("network refused: %s", request.URL.Redacted())
	}
	return response(request, body), nil
}
