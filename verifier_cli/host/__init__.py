"""What a process meets: logs, signals, deadlines, CPUs."""
