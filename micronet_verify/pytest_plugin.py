"""pytest options and parametrization of the suite."""
