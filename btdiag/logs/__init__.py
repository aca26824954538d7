"""What a load balancer's own logs prove: readers, one module a product, fingerprints as data, pure judgement.

Nothing is sent and nothing is written; files may be of any size and hostile.
"""

from btdiag.core.rooms import callable_too

callable_too(__name__)
