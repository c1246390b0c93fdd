// Command flux-handover-engine builds Flux Kustomizations for flux-handover: JSON lines in, JSON lines out.
package main

import (
	"errors"
	"fmt"
	"os"
	"runtime/debug"

	"github.com/flux-handover/engine/internal/build"
	"github.com/flux-handover/engine/internal/remote"
	"github.com/flux-handover/engine/internal/serve"
)

// version is the version of the package that the engine was built for.
var version = "development"

func main() {
	remote.Seal()
	// Builds make much garbage in a short life; memory is bounded by the sizes of requests.
	debug.SetGCPercent(400)
	debug.SetMemoryLimit(400 << 20)
	go build.Prepare()
	switch err := serve.Lines(version, os.Stdin, os.Stdout); {
	case errors.Is(err, build.Stuck{}):
		os.Exit(3)
	case err != nil:
		fmt.Fprintln(os.Stderr, "flux-handover-engine:", err)
		os.Exit(1)
	}
}
