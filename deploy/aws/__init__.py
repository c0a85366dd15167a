"""The designs on AWS as stacks of the CDK: `app.py` makes them, `options.py` says what can be chosen."""
