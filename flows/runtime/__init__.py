"""What every step needs: the workspace, the event loop, progress, the shard writer."""
