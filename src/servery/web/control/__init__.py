"""The control plane: resources below ``/v1/accounts``, and the list of models in OpenAI's form."""
