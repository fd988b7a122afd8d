"""O servidor do enunciado (§3.3), como uma sala de aula o escreve: uma thread por conexão, um Lock, e
cada recv é um comando. As únicas diferenças: a porta e o estoque vêm da linha de comando, a resposta
termina em \n, para o gerador contá-las todas do mesmo jeito, e não há print, que mediria o console."""
import socket
import sys
import threading

lock = threading.Lock()
estoque = int(sys.argv[2])


def realizar_venda():
    global estoque
    with lock:
        if estoque > 0:
            estoque -= 1
            return estoque
        return None


def handle_client(conn, addr):
    while True:
        dados = conn.recv(1024)
        if not dados:
            break
        comando = dados.decode().strip()
        if comando == "CONSULTAR":
            resposta = f"Estoque atual: {estoque}"
        elif comando == "COMPRAR":
            restante = realizar_venda()
            if restante is not None:
                resposta = f"Compra realizada. Estoque restante: {restante}"
            else:
                resposta = "ERRO: Produto esgotado"
        else:
            resposta = "ERRO: Comando invalido"
        conn.sendall((resposta + "\n").encode())
    conn.close()


def atender(conn, addr):
    try:
        handle_client(conn, addr)
    except OSError:
        pass  # o gerador fecha com um reset


server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
server.bind(('0.0.0.0', int(sys.argv[1])))
server.listen()

while True:
    conn, addr = server.accept()
    thread = threading.Thread(target=atender, args=(conn, addr), daemon=True)
    thread.start()
