"""Servidor certo, com threads, Lock e AVISO a todos, e sem fim de linha; menos em um jeito, que se diz
depois da porta. Cada jeito é um defeito, ou uma esquisitice, que a multidão tem de ver como é."""
import socket
import sys
import threading
import time

jeito = sys.argv[2]
lock = threading.Lock()
estoque = 10
conexoes = []
AVISO = "AVISO: O estoque acabou de esgotar!"


def avisar_todos():
    for conn in list(conexoes):
        try:
            conn.sendall(AVISO.encode())
        except OSError:
            pass


def entender(dados):
    """O comando, como este servidor o compara."""
    if jeito in ("exato", "exato_e_mudo"):
        return dados.decode()
    if jeito == "crlf":
        return dados.decode().removesuffix("\r\n") if dados.endswith(b"\r\n") else ""
    return dados.decode().strip().upper()


def executar(comando):
    """A resposta, ou None para nenhuma; e se esta foi a venda da última unidade."""
    global estoque
    with lock:
        if comando == "CONSULTAR":
            return f"Estoque atual: {estoque}", False
        if comando != "COMPRAR":
            return None if jeito in ("exato_e_mudo", "crlf") else "ERRO: Comando invalido", False
        if jeito == "compra_da_erro":
            return "Erro interno", False
        if estoque == 0:
            return "ERRO: Produto esgotado", False
        estoque -= 1
        if jeito == "vende_com_erro":
            return "Erro interno", estoque == 0
        return f"Compra realizada. Estoque restante: {estoque}", estoque == 0


def esgotar():
    if jeito == "avisa_tarde":
        threading.Timer(1.5, avisar_todos).start()
    elif jeito == "avisa_duas_vezes":
        avisar_todos()
        time.sleep(0.05)
        avisar_todos()
    elif jeito != "nao_avisa":
        avisar_todos()


def handle_client(conn):
    conexoes.append(conn)
    if jeito == "avisa_quem_chega" and estoque == 0:
        conn.sendall(AVISO.encode())
    try:
        while dados := conn.recv(1024):
            resposta, acabou = executar(entender(dados))
            if resposta is not None:
                # Quem erra o cliente responde ao último que conectou.
                destino = conexoes[-1] if jeito == "erra_o_cliente" else conn
                destino.sendall(resposta.encode())
                if jeito == "responde_duas_vezes":
                    destino.sendall(resposta.encode())
            if acabou:
                esgotar()
            if jeito == "fecha":
                break
    except OSError:
        pass
    conexoes.remove(conn)
    conn.close()


server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind(('0.0.0.0', int(sys.argv[1])))
server.listen(128)
while True:
    conn, _ = server.accept()
    threading.Thread(target=handle_client, args=(conn,), daemon=True).start()
