"""The Data page: from what people said to a dataset that one can defend; a module a view."""
