package substitute

import (
	"encoding/json"
	"fmt"

	"github.com/flux-handover/engine/internal/protocol"
)

// identity is what kustomize tells objects apart by; no namespace is the namespace `default`
// (kubernetes-sigs/kustomize:kyaml/resid/resid.go@kyaml/v0.21.1).
type identity struct {
	apiVersion, kind, namespace, name string
}

func identityOf(object json.RawMessage) identity {
	var content struct {
		APIVersion any `json:"apiVersion"`
		Kind       any `json:"kind"`
		Metadata   struct {
			Namespace any `json:"namespace"`
			Name      any `json:"name"`
		} `json:"metadata"`
	}
	if json.Unmarshal(object, &content) != nil {
		return identity{}
	}
	id := identity{text(content.APIVersion), text(content.Kind), text(content.Metadata.Namespace), text(content.Metadata.Name)}
	if id.namespace == "" {
		id.namespace = "default"
	}
	return id
}

func hasName(object json.RawMessage) bool {
	var content struct {
		Metadata struct {
			Name any `json:"name"`
		} `json:"metadata"`
	}
	if json.Unmarshal(object, &content) != nil {
		return false
	}
	name, ok := content.Metadata.Name.(string)
	return ok && name != ""
}

func text(value any) string {
	if value == nil {
		return ""
	}
	return fmt.Sprint(value)
}

// identities are those of a build while its objects are substituted one after the other.
type identities struct {
	current []identity
	count   map[identity]int
}

func newIdentities(objects []json.RawMessage) *identities {
	ids := &identities{count: map[identity]int{}}
	for _, object := range objects {
		id := identityOf(object)
		ids.current = append(ids.current, id)
		ids.count[id]++
	}
	return ids
}

// replace puts an object back after its substitution, which fails where another has the same identity by now
// (kubernetes-sigs/kustomize:api/resmap/reswrangler.go#Replace@api/v0.21.1).
func (ids *identities) replace(index int, object json.RawMessage) error {
	id := identityOf(object)
	ids.count[ids.current[index]]--
	ids.count[id]++
	ids.current[index] = id
	if ids.count[id] > 1 {
		return &protocol.Error{
			Code:    protocol.DuplicateID,
			Message: fmt.Sprintf("after substitution two objects are %s/%s/%s", id.kind, id.namespace, id.name),
		}
	}
	return nil
}
