"""Policy documents, ModelValidations, trust material."""
