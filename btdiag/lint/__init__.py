"""Static checks of Helm values, Terraform and env files."""
