// A peer: the echo server in Go's own idiom, a goroutine for each client.
//
// Settings: GOMAXPROCS(1), since the others have one thread, too (Go's runtime starts some more, of which
// one at a time runs Go code). TCP_NODELAY is Go's default. A buffer of 64 KiB for each client.
//
// With --splice each client is io.Copy(client, client), which has the kernel move the bytes through a pipe
// (splice(2)). That costs as much for messages of 64 bytes and less for long ones, but two more descriptors for
// each client, so it is not the default.
package main

import (
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"time"
)

const bufferSize = 64 * 1024 // bytes
const acceptPause = 100 * time.Millisecond

func main() {
	port := flag.Int("port", 9877, "port to listen on; 0 = any free one")
	splice := flag.Bool("splice", false, "echo with io.Copy")
	flag.Parse()
	runtime.GOMAXPROCS(1)
	listener, err := net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", *port))
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
	fmt.Printf("listening on %s\n", listener.Addr()) // os.Stdout has no buffer.
	for {
		client, err := listener.Accept()
		if err != nil { // No descriptor for one more client, for instance: some may end meanwhile.
			time.Sleep(acceptPause)
			continue
		}
		if *splice {
			go copyBack(client)
		} else {
			go echo(client)
		}
	}
}

// echo reads again only when all of the last read has been written, so a client that does not read is not
// read from.
func echo(client net.Conn) {
	defer client.Close()
	buffer := make([]byte, bufferSize)
	for {
		received, err := client.Read(buffer)
		if err != nil { // End of file, too.
			return
		}
		if _, err := client.Write(buffer[:received]); err != nil {
			return
		}
	}
}

func copyBack(client net.Conn) {
	defer client.Close()
	io.Copy(client, client)
}
