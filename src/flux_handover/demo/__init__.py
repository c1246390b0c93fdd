"""The repository on which `flux-handover demo` shows the whole handover; every name in it is invented."""
