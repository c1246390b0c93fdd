"""The JSON that other programs rely on, as types; docs/reference/schemas is generated from them."""

from flux_handover.report.shapes.common import FindingShape, encoded, schema_of

__all__ = ["FindingShape", "encoded", "schema_of"]
