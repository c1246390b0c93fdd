// Package build makes the objects of a Flux Kustomization as kustomize-controller does, up to and
// without the substitution of variables.
package build

import (
	"encoding/json"
	"fmt"
	"path"
	"strings"
	"sync"
	"time"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/resmap"
	kustypes "sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/openapi"

	"github.com/flux-handover/engine/internal/protocol"
	"github.com/flux-handover/engine/internal/remote"
	"github.com/flux-handover/engine/internal/tree"
)

// Builder runs the builds of one request, several at a time.
type Builder struct {
	Tree    *tree.Tree
	Network *remote.Network
	Limits  Limits
	// Known are trees that stand for references out of the tree.
	Known map[string]*tree.Tree
}

// schema guards kustomize's global schema. Builds that leave it alone share it; one that has an `openapi:`
// field, or lets kustomize's HTTP client answer, has the process for itself.
var schema sync.RWMutex

// Limits that a request may narrow.
type Limits struct {
	Duration time.Duration
	Objects  int
}

// Narrowed are the engine's limits, or the request's where they are smaller.
func Narrowed(requested *protocol.RequestedLimit) Limits {
	limits := Limits{Duration: MaxSeconds, Objects: MaxObjects}
	if requested == nil {
		return limits
	}
	if d := time.Duration(requested.BuildSeconds * float64(time.Second)); d > 0 && d < limits.Duration {
		limits.Duration = d
	}
	if requested.Objects > 0 && requested.Objects < limits.Objects {
		limits.Objects = requested.Objects
	}
	return limits
}

// Stuck says that a build did not end in time. It cannot be stopped, so the process must end.
type Stuck struct{}

func (Stuck) Error() string { return "a build did not end in time" }

// Kustomization builds a whole Flux Kustomization object.
func (b *Builder) Kustomization(request protocol.Build) (protocol.BuildResult, error) {
	return b.timed(request.Key, func(view *tree.View) (outcome, error) {
		spec, err := specOf(request)
		if err != nil {
			return outcome{}, err
		}
		directory, err := b.directory(view, spec.Path)
		if err != nil {
			return outcome{}, err
		}
		if err := generated(view, directory, spec); err != nil {
			return outcome{}, err
		}
		built, err := b.run(view, directory)
		if err == nil {
			built.objects, err = withCommonMetadata(built.objects, spec)
		}
		return built, err
	})
}

// Directory builds a directory as `kustomize build` does, with the load restrictions of Flux.
func (b *Builder) Directory(name string) (protocol.BuildResult, error) {
	return b.timed("", func(view *tree.View) (outcome, error) {
		directory, err := b.directory(view, name)
		if err != nil {
			return outcome{}, err
		}
		return b.run(view, directory)
	})
}

type outcome struct {
	objects []json.RawMessage
	remotes []string
	places  *closure
}

// timed runs one build, and turns its error, its panic and its delay into a result.
func (b *Builder) timed(key string, build func(*tree.View) (outcome, error)) (protocol.BuildResult, error) {
	view := tree.NewView(b.Tree)
	done := make(chan protocol.BuildResult, 1)
	go func() {
		done <- b.guarded(key, view, build)
	}()
	timer := time.NewTimer(b.Limits.Duration)
	defer timer.Stop()
	select {
	case result := <-done:
		return result, nil
	case <-timer.C:
		return protocol.BuildResult{Key: key, Error: &protocol.Error{
			Code:    protocol.LimitExceeded,
			Message: fmt.Sprintf("the build did not end within %s", b.Limits.Duration),
		}}, Stuck{}
	}
}

func (b *Builder) guarded(key string, view *tree.View, build func(*tree.View) (outcome, error)) (result protocol.BuildResult) {
	result = protocol.BuildResult{Key: key, Objects: []json.RawMessage{}, Remotes: []string{}}
	defer func() {
		result.Reads, result.Damaged = view.Reads(), view.Damaged()
		if r := recover(); r != nil {
			result.Objects = []json.RawMessage{}
			result.Error = &protocol.Error{Code: protocol.Panicked, Message: tree.Readable(fmt.Sprintf("kustomize panicked: %v", r))}
		}
	}()
	built, err := build(view)
	if len(built.remotes) > 0 {
		result.Remotes = built.remotes
	}
	switch failure := explain(view, built.places, err); {
	case failure != nil:
		result.Error = failure
	case len(built.objects) > b.Limits.Objects:
		result.Error = &protocol.Error{
			Code:    protocol.LimitExceeded,
			Message: fmt.Sprintf("the build makes %d objects, more than %d", len(built.objects), b.Limits.Objects),
		}
	default:
		result.Objects = built.objects
	}
	return result
}

func specOf(request protocol.Build) (*Spec, error) {
	var object struct {
		Spec Spec `json:"spec"`
	}
	if err := json.Unmarshal(request.Kustomization, &object); err != nil {
		return nil, &protocol.Error{Code: protocol.InvalidSpec, Message: "the Kustomization's spec cannot be read: " + jsonReason(err)}
	}
	if request.Path != nil {
		object.Spec.Path = *request.Path
	}
	return &object.Spec, nil
}

// jsonReason names the field of a value of the wrong type, and leaves Go's types out of it.
func jsonReason(err error) string {
	if wrong, ok := err.(*json.UnmarshalTypeError); ok {
		return fmt.Sprintf("%s is a %s", wrong.Field, wrong.Value)
	}
	return err.Error()
}

// directory is where spec.path leads; like the controller it cannot lead out of the tree
// (fluxcd/kustomize-controller:internal/controller/kustomization_controller.go#reconcile@v1.9.4).
func (b *Builder) directory(view *tree.View, specPath string) (string, error) {
	confirmed, name, err := view.CleanedAbs(path.Join(tree.Root, path.Clean("/"+specPath)))
	if err != nil {
		if view.Omitted != nil || view.Escaped != nil {
			return "", err
		}
		return "", &protocol.Error{Code: protocol.MissingPath, Message: fmt.Sprintf("path %s does not exist", shown(specPath))}
	}
	if name != "" {
		return "", &protocol.Error{Code: protocol.MissingPath, Message: fmt.Sprintf("path %s is a file, not a directory", shown(specPath))}
	}
	return confirmed.String(), nil
}

func shown(specPath string) string {
	if specPath == "" {
		return "."
	}
	return specPath
}

func generated(view *tree.View, directory string, spec *Spec) error {
	schema.RLock()
	defer schema.RUnlock()
	return generate(view, directory, spec)
}

// run is fluxcd/pkg:kustomize/kustomize_generator.go#Build@v1.35.4 on our file system: the same options, but
// the schema is reset only after a build that changed it (fluxcd/pkg#1237).
func (b *Builder) run(view *tree.View, directory string) (outcome, error) {
	places := trace(view, directory, b)
	built := outcome{places: places, remotes: places.remotes()}
	if err := places.refusal(); err != nil {
		return built, err
	}
	defer b.enter(places)()
	openapi.Schema()
	options := &krusty.Options{
		LoadRestrictions: kustypes.LoadRestrictionsNone,
		PluginConfig:     kustypes.DisabledPluginConfig(),
	}
	resources, err := krusty.MakeKustomizer(options).Run(view, directory)
	if err != nil {
		return built, err
	}
	built.objects, err = objects(resources)
	return built, err
}

// enter begins the part of a build that runs in kustomize; the returned function ends it.
func (b *Builder) enter(places *closure) func() {
	if !places.changesSchema && !b.Network.Allowed {
		schema.RLock()
		return schema.RUnlock
	}
	schema.Lock()
	restore := b.Network.Open()
	return func() {
		restore()
		resetSchema()
		schema.Unlock()
	}
}

// Prepare parses kustomize's schema ahead of the first build, which waits for it.
func Prepare() {
	openapi.Schema()
}

// resetSchema forgets an `openapi:` field of the build before, which kustomize keeps.
func resetSchema() {
	if openapi.GetSchemaVersion() != defaultSchema {
		openapi.ResetOpenAPI()
	}
}

var defaultSchema = openapi.GetSchemaVersion()

// objects are the resources as JSON; one without kind or name fails the build, and a kustomize
// configuration is no object (fluxcd/pkg:ssa/utils/object.go#ReadObjects@v0.76.1).
func objects(resources resmap.ResMap) ([]json.RawMessage, error) {
	list := make([]json.RawMessage, 0, resources.Size())
	for _, resource := range resources.Resources() {
		if resource.GetName() == "" || resource.GetKind() == "" || resource.GetApiVersion() == "" {
			return nil, &protocol.Error{
				Code:    protocol.MissingName,
				Message: fmt.Sprintf("an object of kind %q has no apiVersion, kind or name", resource.GetKind()),
			}
		}
		if strings.EqualFold(resource.GetKind(), "kustomization") && strings.HasPrefix(resource.GetApiVersion(), "kustomize.config.k8s.io/") {
			continue
		}
		content, err := resource.MarshalJSON()
		if err != nil {
			return nil, err
		}
		list = append(list, content)
	}
	return list, nil
}
