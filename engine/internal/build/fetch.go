package build

import (
	"fmt"
	"path/filepath"

	"go.yaml.in/yaml/v3"
	"sigs.k8s.io/kustomize/api/provider"

	"github.com/flux-handover/engine/internal/protocol"
	"github.com/flux-handover/engine/internal/remote"
)

// fetchFile gets a URL, so that kustomize finds it fetched.
func (p *place) fetchFile(url string) {
	if !p.closure.network.Allowed {
		return
	}
	if _, err := p.closure.network.Get(url); err != nil {
		p.fail(url, err)
	}
}

// fetchBase gets a URL that holds objects; any other reference is a repository, whose files are mounted, and
// the kustomization file is changed to lead there. kustomize tries the two in this order
// (kubernetes-sigs/kustomize:api/internal/target/kusttarget.go#accumulateResources@api/v0.21.1).
func (p *place) fetchBase(node *yaml.Node, value string) {
	if !p.closure.network.Allowed {
		return
	}
	if remote.IsFile(value) {
		body, err := p.closure.network.Get(value)
		if err == nil && holdsObjects(body) {
			return
		}
		if err != nil && !remote.IsRepository(value) {
			p.fail(value, err)
			return
		}
	}
	repository, ok := remote.ParseRepository(value)
	if !ok {
		p.fail(value, fmt.Errorf("it holds no objects"))
		return
	}
	clone, err := p.closure.network.Clone(repository)
	if err != nil {
		p.fail(value, err)
		return
	}
	p.mount(node, value, repository, clone)
}

func holdsObjects(body []byte) bool {
	return checkManifest(body, func() error {
		_, err := provider.NewDefaultDepProvider().GetResourceFactory().SliceFromBytes(body)
		return err
	}) == nil
}

func (p *place) mount(node *yaml.Node, value string, repository remote.Repository, clone *remote.Clone) {
	top, err := p.closure.view.Mount(repository.URL+"@"+repository.Ref, clone.Files, clone.Links, clone.Omitted)
	if err != nil {
		p.fail(value, err)
		return
	}
	target := filepath.Join(top, repository.Path)
	if !p.closure.view.IsDir(target) {
		p.fail(value, fmt.Errorf("the repository has no directory %s", repository.Path))
		return
	}
	p.lead(node, value, target)
}

// lead makes a reference lead to what stands for it in the view.
func (p *place) lead(node *yaml.Node, value, target string) {
	relative, err := filepath.Rel(p.directory, target)
	if err != nil {
		p.fail(value, err)
		return
	}
	node.Value, p.moved = relative, true
	if p.closure.view.IsDir(target) {
		p.closure.directory(target)
	}
}

func (p *place) fail(reference string, err error) {
	if p.closure.failure != nil {
		return
	}
	written := p.closure.references[len(p.closure.references)-1]
	file, line := written.place()
	p.closure.failure = &protocol.Error{
		Code:    protocol.RemoteFailed,
		Message: fmt.Sprintf("%s cannot be fetched: %v", reference, err),
		File:    file,
		Line:    line,
	}
}

// rewrite writes a kustomization file, with references to copies, over the tree.
func (c *closure) rewrite(file string, document *yaml.Node) {
	content, err := yaml.Marshal(document)
	if err == nil {
		err = c.view.WriteFile(file, content)
	}
	if err != nil && c.failure == nil {
		c.failure = err
	}
}
