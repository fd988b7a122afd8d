"""O erro mais comum: a lista de clientes só cresce, e o laço do AVISO escreve a quem já saiu, sem
tratar a exceção. A thread de quem comprou a última unidade morre."""
import socket
import sys
import threading

lock = threading.Lock()
estoque = 10
clientes = []


def avisar_todos():
    for cliente in clientes:
        cliente.sendall("AVISO: O estoque acabou de esgotar!".encode())


def handle_client(conn, addr):
    global estoque
    print(f"Conectado por {addr}")
    clientes.append(conn)
    while True:
        dados = conn.recv(1024)
        if not dados:
            break
        comando = dados.decode().strip().upper()
        if comando == "CONSULTAR":
            with lock:
                resposta = f"Estoque atual: {estoque}"
        elif comando == "COMPRAR":
            with lock:
                if estoque > 0:
                    estoque -= 1
                    resposta = f"Compra realizada. Estoque restante: {estoque}"
                else:
                    resposta = "ERRO: Produto esgotado"
        else:
            resposta = "ERRO: Comando invalido"
        if resposta.endswith("restante: 0"):
            avisar_todos()
        conn.sendall(resposta.encode())
    conn.close()


server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind(('0.0.0.0', int(sys.argv[1])))
server.listen()

while True:
    conn, addr = server.accept()
    threading.Thread(target=handle_client, args=(conn, addr)).start()
