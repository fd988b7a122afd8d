"""Certo e com AVISO a todos, mas de propósito responde e avisa com o Lock na mão: um cliente que
nunca lê pode prender todos os outros."""
import socket
import sys
import threading

lock = threading.Lock()
estoque = 10
conexoes = []


def avisar_todos():
    for conn in conexoes:
        try:
            conn.sendall("AVISO: O estoque acabou de esgotar!".encode())
        except OSError:
            pass


def atender(conn, comando):
    global estoque
    with lock:
        if comando == "CONSULTAR":
            conn.sendall(f"Estoque atual: {estoque}".encode())
        elif comando != "COMPRAR":
            conn.sendall("ERRO: Comando invalido".encode())
        elif estoque == 0:
            conn.sendall("ERRO: Produto esgotado".encode())
        else:
            estoque -= 1
            try:
                conn.sendall(f"Compra realizada. Estoque restante: {estoque}".encode())
            finally:
                if estoque == 0:
                    avisar_todos()


def handle_client(conn, addr):
    print(f"Conectado por {addr}")
    try:
        while dados := conn.recv(1024):
            atender(conn, dados.decode().strip().upper())
    except Exception as erro:
        print(f"Erro com {addr}: {erro}")
    with lock:
        conexoes.remove(conn)
    conn.close()


server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind(('0.0.0.0', int(sys.argv[1])))
server.listen()

while True:
    conn, addr = server.accept()
    with lock:
        conexoes.append(conn)
    threading.Thread(target=handle_client, args=(conn, addr)).start()
