"""Certo e com AVISO a todos, mas de propósito abre com 5 unidades em vez de 10."""
import socket
import sys
import threading

lock = threading.Lock()
estoque = 5
conexoes = []


def avisar_todos():
    for conn in list(conexoes):
        try:
            conn.sendall("AVISO: O estoque acabou de esgotar!".encode())
        except OSError:
            pass


def responder(comando):
    global estoque
    with lock:
        if comando == "CONSULTAR":
            return f"Estoque atual: {estoque}"
        if comando == "COMPRAR":
            if estoque > 0:
                estoque -= 1
                return f"Compra realizada. Estoque restante: {estoque}"
            return "ERRO: Produto esgotado"
    return "ERRO: Comando invalido"


def handle_client(conn, addr):
    print(f"Conectado por {addr}")
    try:
        while dados := conn.recv(1024):
            resposta = responder(dados.decode().strip().upper())
            conn.sendall(resposta.encode())
            if resposta == "Compra realizada. Estoque restante: 0":
                avisar_todos()
    except Exception as erro:
        print(f"Erro com {addr}: {erro}")
    conexoes.remove(conn)
    conn.close()


server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind(('0.0.0.0', int(sys.argv[1])))
server.listen()

while True:
    conn, addr = server.accept()
    conexoes.append(conn)
    threading.Thread(target=handle_client, args=(conn, addr)).start()
