"""The auditor's tools: exports that prove themselves, reconciliation with the case system, the report."""
