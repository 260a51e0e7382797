"""The HTTP API of the staff: readings are answered at once, changes become requests that are carried out later.

`routes` says what there is and who may ask, `document` makes the OpenAPI document of it, `service` answers by it.
"""
