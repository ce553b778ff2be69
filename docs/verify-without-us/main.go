// Verify checks a published receipt log, and receipts given out by it, with the verifier of Go's checksum
// database (golang.org/x/mod/sumdb) and nothing written by those who wrote the log.
//
//	go run . LOG KEY [RECEIPT or older CHECKPOINT ...]
//
// LOG is the log's address (http://… or https://…) or a folder of its files, KEY a file with its verifier key.
// Exit code 0: all of it holds.
package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const width = 256

// A source holds the log's resources: a web server or a folder.
type source string

func (s source) read(path string) ([]byte, error) {
	if !strings.HasPrefix(string(s), "http") {
		return os.ReadFile(filepath.Join(string(s), filepath.FromSlash(path)))
	}
	answer, err := http.Get(strings.TrimSuffix(string(s), "/") + "/" + path)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", path, answer.Status)
	}
	return io.ReadAll(answer.Body)
}

// Height, ReadTiles and SaveTiles make a source a tlog.TileReader.
func (s source) Height() int { return 8 }

func (s source) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var contents [][]byte
	for _, tile := range tiles {
		// The checksum database writes the height into the path, C2SP tlog-tiles does not.
		content, err := s.read(strings.Replace(tile.Path(), "tile/8/", "tile/", 1))
		if err != nil {
			return nil, err
		}
		contents = append(contents, content)
	}
	return contents, nil
}

func (s source) SaveTiles([]tlog.Tile, [][]byte) {}

// readHead gives the tree that a signed checkpoint stands for.
func readHead(signed []byte, key note.Verifier) (tlog.Tree, error) {
	opened, err := note.Open(signed, note.VerifierList(key))
	if err != nil {
		return tlog.Tree{}, err
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[0] != key.Name() {
		return tlog.Tree{}, errors.New("the checkpoint is of another log")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return tlog.Tree{}, err
	}
	root, err := base64.StdEncoding.DecodeString(lines[2])
	if err != nil || len(root) != tlog.HashSize {
		return tlog.Tree{}, errors.New("the root is not 32 bytes")
	}
	return tlog.Tree{N: size, Hash: tlog.Hash(root)}, nil
}

// checkEntries reads every entry and compares it with its place in the tree.
func checkEntries(log source, tree tlog.Tree, hashes tlog.HashReader) error {
	for first := int64(0); first < tree.N; first += width {
		count := min(width, tree.N-first)
		tile := tlog.Tile{H: 8, L: 0, N: first / width, W: int(count)}
		bundle, err := log.read(strings.Replace(tile.Path(), "tile/8/0/", "tile/entries/", 1))
		if err != nil {
			return err
		}
		var indexes []int64
		for i := range count {
			indexes = append(indexes, tlog.StoredHashIndex(0, first+i))
		}
		leaves, err := hashes.ReadHashes(indexes) // checked against the root
		if err != nil {
			return err
		}
		for i, leaf := range leaves {
			if len(bundle) < 2 || len(bundle) < 2+int(bundle[0])<<8+int(bundle[1]) {
				return fmt.Errorf("entry %d is cut off", first+int64(i))
			}
			stop := 2 + int(bundle[0])<<8 + int(bundle[1])
			if tlog.RecordHash(bundle[2:stop]) != leaf {
				return fmt.Errorf("entry %d is not in the tree", first+int64(i))
			}
			bundle = bundle[stop:]
		}
		if len(bundle) > 0 {
			return fmt.Errorf("bundle %d has too many bytes", tile.N)
		}
	}
	return nil
}

type receipt struct {
	LeafIndex  int64    `json:"leaf_index"`
	TreeSize   int64    `json:"tree_size"`
	Statement  string   `json:"statement"`
	Proof      []string `json:"proof"`
	Checkpoint string   `json:"checkpoint"`
}

// checkReceipt checks a receipt by itself, then that the published log has the same leaf. It gives the
// receipt's tree.
func checkReceipt(content []byte, key note.Verifier, tree tlog.Tree, hashes tlog.HashReader) (tlog.Tree, error) {
	var given receipt
	if err := json.Unmarshal(content, &given); err != nil {
		return tlog.Tree{}, err
	}
	head, err := readHead([]byte(given.Checkpoint), key)
	if err != nil {
		return head, err
	}
	digest := sha256.Sum256([]byte(given.Statement))
	leaf := tlog.RecordHash(append([]byte{1}, digest[:]...))
	var path tlog.RecordProof
	for _, text := range given.Proof {
		hash, err := hex.DecodeString(text)
		if err != nil || len(hash) != tlog.HashSize {
			return head, errors.New("the proof is malformed")
		}
		path = append(path, tlog.Hash(hash))
	}
	if given.TreeSize != head.N {
		return head, errors.New("the receipt's tree is not the checkpoint's")
	}
	if err := tlog.CheckRecord(path, head.N, head.Hash, given.LeafIndex, leaf); err != nil {
		return head, err
	}
	if path, err = tlog.ProveRecord(tree.N, given.LeafIndex, hashes); err != nil {
		return head, err
	}
	return head, tlog.CheckRecord(path, tree.N, tree.Hash, given.LeafIndex, leaf)
}

// checkGrown checks that the published log has grown from an older head.
func checkGrown(tree, older tlog.Tree, hashes tlog.HashReader) error {
	if older.N < 1 || older.N > tree.N {
		return errors.New("the published log is older")
	}
	proof, err := tlog.ProveTree(tree.N, older.N, hashes)
	if err != nil {
		return err
	}
	return tlog.CheckTree(proof, tree.N, tree.Hash, older.N, older.Hash)
}

func run(log source, keyFile string, files []string) error {
	text, err := os.ReadFile(keyFile)
	if err != nil {
		return err
	}
	key, err := note.NewVerifier(strings.TrimSpace(string(text)))
	if err != nil {
		return err
	}
	signed, err := log.read("checkpoint")
	if err != nil {
		return err
	}
	tree, err := readHead(signed, key)
	if err != nil {
		return err
	}
	hashes := tlog.TileHashReader(tree, log)
	if err := checkEntries(log, tree, hashes); err != nil {
		return err
	}
	fmt.Printf("log: %d entries, root %x\n", tree.N, tree.Hash[:])
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		var older tlog.Tree
		if bytes.HasPrefix(bytes.TrimSpace(content), []byte("{")) {
			older, err = checkReceipt(content, key, tree, hashes)
		} else {
			older, err = readHead(content, key)
		}
		if err == nil {
			err = checkGrown(tree, older, hashes)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		fmt.Printf("%s: holds, and the log has grown from its %d entries to %d\n", file, older.N, tree.N)
	}
	return nil
}

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: verify LOG KEY [RECEIPT or CHECKPOINT ...]")
		os.Exit(2)
	}
	if err := run(source(os.Args[1]), os.Args[2], os.Args[3:]); err != nil {
		fmt.Fprintln(os.Stderr, "verification failed:", err)
		os.Exit(3)
	}
}
