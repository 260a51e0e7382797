"""CloudFormation stacks: plan, apply, explain."""
