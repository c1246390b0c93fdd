package build

import (
	"encoding/json"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/api/konfig"
	"sigs.k8s.io/kustomize/api/provider"
	kustypes "sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/yaml"

	"github.com/flux-handover/engine/internal/protocol"
	"github.com/flux-handover/engine/internal/tree"
)

// Spec is the part of a Flux Kustomization that decides its build.
type Spec struct {
	Path                    string                   `json:"path"`
	TargetNamespace         string                   `json:"targetNamespace"`
	NamePrefix              string                   `json:"namePrefix"`
	NameSuffix              string                   `json:"nameSuffix"`
	Patches                 []patch                  `json:"patches"`
	Components              []string                 `json:"components"`
	IgnoreMissingComponents bool                     `json:"ignoreMissingComponents"`
	Images                  []kustypes.Image         `json:"images"`
	BuildMetadata           []string                 `json:"buildMetadata"`
	CommonMetadata          *protocol.CommonMetadata `json:"commonMetadata"`
	PostBuild               json.RawMessage          `json:"postBuild"`
}

type patch struct {
	Patch  string    `json:"patch"`
	Target *selector `json:"target"`
}

type selector struct {
	Group              string `json:"group"`
	Version            string `json:"version"`
	Kind               string `json:"kind"`
	Namespace          string `json:"namespace"`
	Name               string `json:"name"`
	AnnotationSelector string `json:"annotationSelector"`
	LabelSelector      string `json:"labelSelector"`
}

func (s *selector) kustomize() *kustypes.Selector {
	if s == nil {
		return nil
	}
	selected := &kustypes.Selector{AnnotationSelector: s.AnnotationSelector, LabelSelector: s.LabelSelector}
	selected.Group, selected.Version, selected.Kind = s.Group, s.Version, s.Kind
	selected.Namespace, selected.Name = s.Namespace, s.Name
	return selected
}

// generate writes the kustomization.yaml that kustomize is to read into the view: the directory's own,
// or a list of all its manifests, with the spec merged into it. It follows
// fluxcd/pkg:kustomize/kustomize_generator.go#GenerateManifest@v1.35.4, which works on a disk only.
func generate(view *tree.View, directory string, spec *Spec) error {
	content, file, own, err := findOrScan(view, directory)
	if err != nil {
		return err
	}
	config := kustypes.Kustomization{TypeMeta: configType()}
	if err := yaml.Unmarshal(content, &config); err != nil {
		return &fileError{file: file, err: err}
	}
	if own && len(config.Resources) == 0 {
		// kustomize refuses a file without any directive; Flux lets it build nothing.
		config.BuildMetadata = []string{kustypes.OriginAnnotations}
	}
	if err := merge(view, directory, spec, &config); err != nil {
		return err
	}
	manifest, err := yaml.Marshal(config)
	if err != nil {
		return err
	}
	return view.WriteFile(file, manifest)
}

func configType() kustypes.TypeMeta {
	return kustypes.TypeMeta{APIVersion: kustypes.KustomizationVersion, Kind: kustypes.KustomizationKind}
}

// merge puts the fields of the spec into the file's, in the order of the controller.
func merge(view *tree.View, directory string, spec *Spec, config *kustypes.Kustomization) error {
	overwrite(&config.Namespace, spec.TargetNamespace)
	overwrite(&config.NamePrefix, spec.NamePrefix)
	overwrite(&config.NameSuffix, spec.NameSuffix)
	for _, p := range spec.Patches {
		config.Patches = append(config.Patches, kustypes.Patch{Patch: p.Patch, Target: p.Target.kustomize()})
	}
	for _, component := range spec.Components {
		if !isLocalRelative(component) {
			return &protocol.Error{
				Code:    protocol.InvalidComponent,
				Message: fmt.Sprintf("component path '%s' must be local and relative", component),
			}
		}
		if spec.IgnoreMissingComponents && !view.Exists(path.Join(directory, component)) {
			continue
		}
		config.Components = append(config.Components, component)
	}
	for _, image := range spec.Images {
		mergeImage(config, image)
	}
	if len(spec.BuildMetadata) > 0 {
		config.BuildMetadata = spec.BuildMetadata
	}
	return nil
}

func overwrite(field *string, value string) {
	if value != "" {
		*field = value
	}
}

// mergeImage overrides an image of the file by name; tag and digest are one unit.
func mergeImage(config *kustypes.Kustomization, image kustypes.Image) {
	known := slices.IndexFunc(config.Images, func(i kustypes.Image) bool { return i.Name == image.Name })
	if known < 0 {
		config.Images = append(config.Images, kustypes.Image{
			Name: image.Name, NewName: image.NewName, NewTag: image.NewTag, Digest: image.Digest,
		})
		return
	}
	overwrite(&config.Images[known].NewName, image.NewName)
	if image.NewTag != "" || image.Digest != "" {
		config.Images[known].NewTag, config.Images[known].Digest = image.NewTag, image.Digest
	}
}

// isLocalRelative repeats fluxcd/pkg:kustomize/kustomize_generator.go#IsLocalRelativePath@v1.35.4.
func isLocalRelative(p string) bool {
	lower := strings.ToLower(p)
	for _, prefix := range []string{"git::", "gh:", "ssh://", "https://", "http://", "git@", "github.com:", "github.com/"} {
		if len(prefix) < len(p) && strings.HasPrefix(lower, prefix) {
			return false
		}
	}
	return !path.IsAbs(p) && !path.IsAbs(strings.TrimPrefix(lower, "file://"))
}

// findOrScan returns the directory's own kustomization file, or one that lists its manifests.
func findOrScan(view *tree.View, directory string) (content []byte, file string, own bool, err error) {
	for _, name := range konfig.RecognizedKustomizationFileNames() {
		if file := path.Join(directory, name); isFile(view, file) {
			content, err := view.ReadFile(file)
			return content, file, true, err
		}
	}
	manifests, err := scan(view, directory)
	if err != nil {
		return nil, "", false, err
	}
	config := kustypes.Kustomization{TypeMeta: configType()}
	for _, manifest := range manifests {
		config.Resources = append(config.Resources, strings.Replace(manifest, directory, ".", 1))
	}
	if len(config.Resources) == 0 {
		// Without any directive the file would be refused; this one changes nothing.
		config.Namespace = "_placeholder"
	}
	content, err = yaml.Marshal(config)
	return content, path.Join(directory, konfig.DefaultKustomizationFileName()), false, err
}

func isFile(view *tree.View, name string) bool {
	return view.Exists(name) && !view.IsDir(name)
}

// scan lists what a generated kustomization.yaml has as resources: sub-directories with a kustomization
// file of their own, and every YAML file elsewhere, each of which must hold Kubernetes objects.
// fluxcd/pkg:kustomize/kustomize_generator.go#scanManifests@v1.35.4; the controller passes no ignore list.
func scan(view *tree.View, directory string) ([]string, error) {
	var found []string
	factory := provider.NewDefaultDepProvider().GetResourceFactory()
	err := view.Walk(directory, func(p string, info os.FileInfo, err error) error {
		switch {
		case err != nil:
			return err
		case p == directory:
			return nil
		case info.IsDir():
			for _, name := range konfig.RecognizedKustomizationFileNames() {
				if isFile(view, path.Join(p, name)) {
					found = append(found, p)
					return filepath.SkipDir
				}
			}
			return nil
		}
		if extension := path.Ext(p); extension != ".yaml" && extension != ".yml" {
			return nil
		}
		if _, err := view.ReadFile(p); err != nil {
			return err
		}
		err = view.Check(p, "manifest", func(content []byte) error {
			return checkManifest(content, func() error { _, err := factory.SliceFromBytes(content); return err })
		})
		if err != nil {
			return &fileError{file: p, err: fmt.Errorf("failed to decode Kubernetes YAML from %s: %w", p, err)}
		}
		found = append(found, p)
		return nil
	})
	return found, err
}

// checkManifest parses a file within the limits, and turns a panic of the parser into an error.
func checkManifest(content []byte, parse func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("recovered from panic while parsing YAML: %v", r)
		}
	}()
	if err := checkExpansion(content); err != nil {
		return err
	}
	return parse()
}
