"""Campaigns: blind virtual batches, their endpoints judged against other ways to end a cure and against an oracle."""
