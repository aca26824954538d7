"""A gateway that does not know the routes of retention and service tokens."""

from btdiag.lab.faults.http import AnswersWith
from btdiag.lab.scenario import Scenario

NOT_LISTED = Scenario(
    name="retention-routes-missing",
    summary="The API Gateway of an old module does not list the routes of retention and service tokens.",
    faults=(
        AnswersWith(
            status=403,
            body='{"message":"Missing Authentication Token"}',
            content_type="application/json",
            headers=(("x-amzn-ErrorType", "MissingAuthenticationTokenException"), ("x-amz-apigw-id", "labGW=")),
            paths=("/service-token/*", "/brainstore/*"),
        ),
    ),
    warns=("retention.routes-reach-a-backend",),
)
