"""Servidor certo, com threads, Lock e AVISO a todos, sem fim de linha; menos em um jeito, que se diz
depois da porta. Cada jeito é de um tipo de servidor de aluno que o avaliador já julgou mal."""
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
    aviso = f"[14:05:09] {AVISO}" if jeito == "aviso_com_hora" else AVISO
    if jeito == "outras_palavras":
        aviso += "\n"
    for conn in list(conexoes):
        try:
            conn.sendall(aviso.encode())
        except OSError:
            pass


def vendeu(antes, depois):
    """O que se diz ao comprador."""
    if jeito == "restante_antes":
        return f"Compra realizada. Estoque restante: {antes}"
    if jeito == "diz_as_vendidas":
        return f"Compra realizada. Estoque restante: {10 - depois}"
    if jeito == "outras_palavras":
        return f"Comprado! Restam {depois}"
    return f"Compra realizada. Estoque restante: {depois}"


def esgotou():
    return "Produto indisponivel" if jeito == "outras_palavras" else "ERRO: Produto esgotado"


def executar(comando):
    """A resposta, e se esta foi a venda da última unidade."""
    global estoque
    if jeito == "demora_fora":
        time.sleep(0.1)
    with lock:
        if jeito in ("demora_com_a_trava", "demora_e_nao_avisa"):
            time.sleep(0.1)
        if comando == "CONSULTAR":
            return f"Estoque atual: {estoque}", False
        if comando != "COMPRAR":
            return "ERRO: Comando invalido", False
        if jeito == "compra_da_erro":
            return "Erro\x1b[2J interno 500", False
        if estoque == 0:
            return esgotou(), False
        if jeito == "prende_a_trava" and estoque == 5 and len(conexoes) > 2:
            lock.acquire()  # já é desta thread: ninguém mais passa daqui
        antes = estoque
        estoque -= 1
        acabou = estoque == 0
        resposta = vendeu(antes, estoque)
    if jeito == "formata_fora":
        time.sleep(0.02)
        resposta = vendeu(antes, estoque)
    return resposta, acabou


def fecha_agora(comando, resposta):
    if jeito in ("fecha", "um_por_vez_e_fecha"):
        return True
    if jeito == "fecha_na_compra":
        return comando == "COMPRAR"
    return jeito == "fecha_na_recusa" and resposta == esgotou()


def handle_client(conn):
    conexoes.append(conn)
    try:
        if jeito == "sauda":
            conn.sendall("Bem-vindo à loja! Comandos: CONSULTAR, COMPRAR\n".encode())
        while dados := conn.recv(1024):
            comando = dados.decode(errors="replace").strip().upper()
            resposta, acabou = executar(comando)
            if jeito == "outras_palavras":
                resposta += "\n"
            if jeito == "eco":
                resposta = f"{comando}: {resposta}\n"
            # Quem erra o cliente responde ao último que conectou.
            destino = conexoes[-1] if jeito == "erra_o_cliente" else conn
            destino.sendall(resposta.encode())
            if jeito == "responde_duas_vezes" and comando == "COMPRAR":
                destino.sendall(resposta.encode())
            if acabou and jeito not in ("nao_avisa", "demora_e_nao_avisa"):
                avisar_todos()
            if fecha_agora(comando, resposta):
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
    if jeito == "fecha_sem_ler":
        conn.sendall("Bem-vindo!\n".encode())
        conn.close()
    elif jeito == "um_por_vez_e_fecha":
        handle_client(conn)
    else:
        threading.Thread(target=handle_client, args=(conn,), daemon=True).start()
