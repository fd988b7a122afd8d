"""Servidor certo, com os dois desafios extras: threads, Lock, textos exatos, registro de cada
comando e AVISO a todos. Nada errado de propósito."""
import socket
import sys
import threading
from datetime import datetime

lock = threading.Lock()
lock_conexoes = threading.Lock()
estoque = 10
conexoes = []


def enviar(conn, texto):
    conn.sendall((texto + "\n").encode())


def avisar_todos():
    with lock_conexoes:
        todos = list(conexoes)
    for conn in todos:
        try:
            enviar(conn, "AVISO: O estoque acabou de esgotar!")
        except OSError:
            pass  # já foi embora; a thread dele descobre sozinha


def executar(comando):
    """Devolve a resposta e se esta foi a venda da última unidade."""
    global estoque
    with lock:
        if comando == "CONSULTAR":
            return f"Estoque atual: {estoque}", False
        if comando == "COMPRAR":
            if estoque == 0:
                return "ERRO: Produto esgotado", False
            estoque -= 1
            return f"Compra realizada. Estoque restante: {estoque}", estoque == 0
    return "ERRO: Comando desconhecido", False


def handle_client(conn, addr):
    try:
        while dados := conn.recv(1024):
            comando = dados.decode(errors="replace").strip().upper()
            agora = datetime.now().strftime("%Y-%m-%d %H:%M:%S.%f")
            print(f"[{agora}] {addr[0]}:{addr[1]} {comando}", flush=True)
            resposta, esgotou = executar(comando)
            try:
                enviar(conn, resposta)
            finally:  # o comprador pode ter caído: os outros ouvem o AVISO assim mesmo
                if esgotou:
                    avisar_todos()
    except OSError as erro:
        print(f"{addr[0]}:{addr[1]} caiu: {erro}", flush=True)
    finally:
        with lock_conexoes:
            conexoes.remove(conn)
        conn.close()


server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind(('0.0.0.0', int(sys.argv[1])))
server.listen()

while True:
    conn, addr = server.accept()
    with lock_conexoes:
        conexoes.append(conn)
    threading.Thread(target=handle_client, args=(conn, addr)).start()
