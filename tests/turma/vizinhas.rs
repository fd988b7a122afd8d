//! A nota não depende das vizinhas: o que custaria pontos e pode ter sido só demora se confirma sem elas, e só isso.

use super::*;

/// As aberturas do servidor em uma avaliação com uma rodada, na ordem: a inauguração, a conversa, o cliente calado, o meio
/// comando, a disputa e as três provocações.
const CONVERSA: u32 = 2;
const RESETS: u32 = 6;

/// Um servidor certo que recebe assim nas aberturas para as quais isto vale.
fn so_se(turma: &Turma, entrega: &str, vale: &str, receber: &str) {
    let antes = format!(
        r#"
import os, socket, time
open("aberturas", "a").write("x")
abertura = os.path.getsize("aberturas")
recv, sendall = socket.socket.recv, socket.socket.sendall
{receber}
if {vale}:
    socket.socket.recv, socket.socket.sendall = receber, responder
"#
    );
    turma.ataque(entrega, &antes);
}

/// Responde depois do prazo.
const TARDE: &str = r"
responder = sendall
def receber(conexao, quantos):
    time.sleep(4)
    return recv(conexao, quantos)";

/// Responde em dois pedaços, com mais silêncio entre eles do que tem uma resposta.
const AOS_PEDACOS: &str = r"
receber = recv
def responder(conexao, bytes):
    sendall(conexao, bytes[:6])
    time.sleep(1)
    sendall(conexao, bytes[6:])";

/// Termina na primeira vez que uma conexão se quebra, e só nela: quem o repetisse não o veria.
const TERMINA: &str = r#"
responder = sendall
def receber(conexao, quantos):
    try:
        return recv(conexao, quantos)
    except ConnectionError:
        open("quebrou", "x")
        os._exit(1)"#;

#[test]
fn um_soluco_em_qualquer_prova_se_confirma_e_nao_custa_nada() {
    if !isola() {
        return;
    }
    let turma = Turma::nova();
    for abertura in CONVERSA..=RESETS {
        so_se(&turma, &format!("tarde-{abertura}"), &format!("abertura == {abertura}"), TARDE);
    }
    so_se(&turma, "aos-pedacos", &format!("abertura == {CONVERSA}"), AOS_PEDACOS);
    turma.corrigir_em_python();
    for (nome, linha) in turma.linhas() {
        assert_eq!(linha["nota"], "10.00", "{nome}: {linha:?}");
    }
}

#[test]
fn um_programa_que_termina_nao_demora_e_nao_tem_outra_vez() {
    if !isola() {
        return;
    }
    let turma = Turma::nova();
    // Uma máquina ocupada pode fazer repetir uma prova anterior: as conexões quebram-se nesta abertura, ou em outra depois.
    so_se(&turma, "termina", &format!("abertura >= {RESETS}"), TERMINA);
    turma.corrigir_em_python();
    assert_eq!(turma.nota("termina"), "9.00", "{:?}", turma.linhas());
    assert!(turma.coluna("termina", "razao").contains("o servidor terminou"));
}
