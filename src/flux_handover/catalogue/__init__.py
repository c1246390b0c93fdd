"""What is known of Flux and its operator without a network: a catalogue of facts per version.

The facts are data of our own making (`tools/catalogue.py`, `tools/catalogue_operators.py`);
reading them is pure, and nothing is read before it is asked for.
"""

from flux_handover.catalogue.charts import (
    chart_defaults,
    chart_schema,
    instance_from_values,
    merged_values,
    operator_chart_objects,
    values_misfits,
)
from flux_handover.catalogue.controllers import (
    HelmGates,
    KustomizeGates,
    SkippedIds,
    argument_since,
    controllers,
    helm_gates,
    kustomize_gates,
)
from flux_handover.catalogue.distributions import (
    COMPONENTS,
    Manifest,
    components,
    controller_version,
    crds,
    flux_versions_of,
    has,
    objects_of,
    served_api_versions,
    storage_api_versions,
    versions,
)
from flux_handover.catalogue.fields import IS_NULL, FieldTree, Misfit, validate, with_defaults
from flux_handover.catalogue.manifests import (
    DEFAULT_COMPONENTS,
    artifact_manifests,
    base_manifests,
    install_manifests,
    namespace_manifest,
    roles,
)
from flux_handover.catalogue.operators import (
    OperatorFacts,
    instance_defaults,
    newest_operator_serving,
    operator,
    operator_schema,
    operators,
)
from flux_handover.catalogue.schemas import crd_schema
from flux_handover.catalogue.versions import MalformedRange, is_at_least, newest_match

__all__ = [
    "COMPONENTS",
    "DEFAULT_COMPONENTS",
    "IS_NULL",
    "FieldTree",
    "HelmGates",
    "KustomizeGates",
    "MalformedRange",
    "Manifest",
    "Misfit",
    "OperatorFacts",
    "SkippedIds",
    "argument_since",
    "artifact_manifests",
    "base_manifests",
    "chart_defaults",
    "chart_schema",
    "components",
    "controller_version",
    "controllers",
    "crd_schema",
    "crds",
    "flux_versions_of",
    "has",
    "helm_gates",
    "install_manifests",
    "instance_defaults",
    "instance_from_values",
    "is_at_least",
    "kustomize_gates",
    "merged_values",
    "namespace_manifest",
    "newest_match",
    "newest_operator_serving",
    "objects_of",
    "operator",
    "operator_chart_objects",
    "operator_schema",
    "operators",
    "roles",
    "served_api_versions",
    "storage_api_versions",
    "validate",
    "values_misfits",
    "versions",
    "with_defaults",
]
