"""Static checks of what people deploy with: Helm values, manifests, Terraform, compose and env files. No network.

Inputs become documents with positions, versions decide which defaults apply, Helm's merge gives the values in effect,
and rules (data and small pure functions) judge them. Only `reading` touches files.
"""

from btdiag.core.rooms import callable_too

callable_too(__name__)
