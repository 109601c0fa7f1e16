// Command slowfs shows a directory read-only at another place, where opening and reading a file
// take a while, as on storage far away. It serves as many at a time as come, and nothing is kept by the kernel.
//
//	slowfs DIRECTORY MOUNTPOINT MILLISECONDS
package main

import (
	"context"
	"log"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

var delay time.Duration

type node struct{ fs.LoopbackNode }

type file struct{ fs.FileHandle }

func (n *node) Open(ctx context.Context, flags uint32) (fs.FileHandle, uint32, syscall.Errno) {
	time.Sleep(delay)
	opened, _, errno := n.LoopbackNode.Open(ctx, flags)
	return &file{opened}, fuse.FOPEN_DIRECT_IO, errno
}

func (f *file) Read(ctx context.Context, to []byte, at int64) (fuse.ReadResult, syscall.Errno) {
	time.Sleep(delay)
	return f.FileHandle.(fs.FileReader).Read(ctx, to, at)
}

func (f *file) Release(ctx context.Context) syscall.Errno {
	return f.FileHandle.(fs.FileReleaser).Release(ctx)
}

func main() {
	milliseconds, err := strconv.Atoi(os.Args[3])
	if err != nil {
		log.Fatal(err)
	}
	delay = time.Duration(milliseconds) * time.Millisecond
	root := &fs.LoopbackRoot{Path: os.Args[1]}
	root.NewNode = func(of *fs.LoopbackRoot, _ *fs.Inode, _ string, _ *syscall.Stat_t) fs.InodeEmbedder {
		return &node{fs.LoopbackNode{RootData: of}}
	}
	options := &fs.Options{MountOptions: fuse.MountOptions{
		DirectMountStrict: true, // mount(2): there is no fusermount
		FsName:            "slowfs",
		MaxWrite:          1 << 20,
		DisableSplice:     true,
		Options:           []string{"ro"},
	}}
	server, err := fs.Mount(os.Args[2], root.NewNode(root, nil, "", nil), options)
	if err != nil {
		log.Fatal(err)
	}
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGTERM, syscall.SIGINT)
	go func() {
		<-ended
		_ = server.Unmount()
	}()
	server.Wait()
}
