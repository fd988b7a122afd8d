"""Com Lock e AVISO a todos, mas de propósito não espera por ele: quem o encontra ocupado (5 ms por
compra) ouve que esgotou, ainda que haja estoque."""
import socket
import sys
import threading
import time

lock = threading.Lock()
estoque = 10
conexoes = []


def avisar_todos():
    for conn in list(conexoes):
        try:
            conn.sendall("AVISO: O estoque acabou de esgotar!".encode())
        except OSError:
            pass


def responder(comando):
    global estoque
    if comando == "CONSULTAR":
        return f"Estoque atual: {estoque}"
    if comando != "COMPRAR":
        return "ERRO: Comando invalido"
    if not lock.acquire(blocking=False):
        return "ERRO: Produto esgotado"
    try:
        if estoque == 0:
            return "ERRO: Produto esgotado"
        time.sleep(0.005)
        estoque -= 1
        return f"Compra realizada. Estoque restante: {estoque}"
    finally:
        lock.release()


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
