"""The claims on CORS, judged by the steps in `fetch`. Pure."""
