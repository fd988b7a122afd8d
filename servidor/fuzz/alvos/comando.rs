//! As leis dos comandos e das mensagens, com bytes quaisquer.
//!
//! A entrada inteira é, ao mesmo tempo, uma linha que um cliente mandou, um texto que um servidor
//! disse e, nos seus primeiros oito bytes, o número que vai em cada resposta.
//!
//! O enquadramento fica com `alvos/linhas.rs`: aqui uma linha pode até ter fins de linha no meio.

use protocolo::mensagem::AVISO;
use protocolo::{Comando, Mensagem, RESPOSTA_MAXIMA, Resposta};

/// Qualquer entrada: nada entra em pânico, e as leis valem.
pub fn experimentar(bytes: &[u8]) {
    comando(bytes);
    mensagem(bytes);
    let mut oito = [0; 8];
    let quantos = bytes.len().min(8);
    oito[..quantos].copy_from_slice(&bytes[..quantos]);
    respostas(u64::from_le_bytes(oito));
}

/// O que não é só uma palavra: um pedido, com as suas palavras separadas por brancos, ou nada nosso.
fn outro(linha: &[u8]) -> Comando {
    let trecho = linha.iter().copied().take(Comando::TRECHO).collect();
    let palavras: Vec<&[u8]> = linha.split(|byte| *byte == b' ').collect();
    let http = palavras.len() > 1 && palavras[palavras.len() - 1].starts_with(b"HTTP/");
    let mut partes = linha.splitn(2, u8::is_ascii_whitespace);
    let pedido = partes.next().is_some_and(|verbo| verbo.eq_ignore_ascii_case(b"PEDIDO"));
    let id = partes.next().unwrap_or_default().trim_ascii_start();
    let visivel = id.iter().all(|byte| (b'!'..=b'~').contains(byte));
    if pedido && visivel && (1..=64).contains(&id.len()) {
        let comando = Comando::interpretar(linha);
        assert!(matches!(&comando, Comando::Pedido(lido) if lido.texto().as_bytes() == id));
        return comando;
    }
    match pedido {
        _ if http => Comando::Http(trecho),
        true => Comando::PedidoInvalido(trecho),
        false => Comando::Desconhecido(trecho),
    }
}

fn comando(linha: &[u8]) {
    let comando = Comando::interpretar(linha);
    let devia = match linha.to_ascii_uppercase().as_slice() {
        b"CONSULTAR" => Comando::Consultar,
        b"COMPRAR" => Comando::Comprar,
        b"AJUDA" => Comando::Ajuda,
        b"SAIR" => Comando::Sair,
        _ => outro(linha),
    };
    assert_eq!(comando, devia);

    assert!(comando.nome().len() <= Comando::TRECHO, "só o começo se guarda");
    let trecho =
        matches!(comando, Comando::Desconhecido(_) | Comando::Http(_) | Comando::PedidoInvalido(_));
    let inteiro = !trecho || linha.len() <= Comando::TRECHO;
    if inteiro && !matches!(comando, Comando::Pedido(_)) {
        assert_eq!(Comando::interpretar(comando.nome()), comando, "o nome diz o comando");
    }

    let nome = |linha: Vec<u8>| Comando::interpretar(&linha).nome().to_ascii_uppercase();
    let [maiusculas, minusculas] = [linha.to_ascii_uppercase(), linha.to_ascii_lowercase()];
    assert_eq!(nome(maiusculas), nome(minusculas), "maiúsculas e minúsculas são iguais");

    let solta = matches!(comando, Comando::Consultar | Comando::Comprar);
    assert_eq!(Comando::vale_sem_fim_de_linha(linha), solta, "só estas valem sem fim de linha");
}

fn mensagem(texto: &[u8]) {
    if let Some(fim) = Mensagem::fim_da_primeira(texto) {
        assert!((1..texto.len()).contains(&fim), "corta em duas, e nenhuma é vazia");
    }
    let mensagem = Mensagem::interpretar(texto);
    for fim in [&b"\n"[..], b"\r\n", b"\0", b"\0Estoque atual: 7\n"] {
        let com_fim = Mensagem::interpretar(&[texto, fim].concat());
        assert_eq!(com_fim, mensagem, "o fim {:?} não muda nada", fim.escape_ascii().to_string());
    }
    let dita = mensagem.to_string();
    assert!(!dita.contains(char::is_control), "nada comanda o terminal: {dita:?}");
    match mensagem {
        Mensagem::Estoque(_)
        | Mensagem::Compra { .. }
        | Mensagem::Esgotado
        | Mensagem::Lotado
        | Mensagem::ForaDeAlcance
        | Mensagem::Fechamento(_) => {
            assert_eq!(
                Mensagem::interpretar(dita.as_bytes()),
                mensagem,
                "{dita:?} volta a ser ela"
            );
        }
        Mensagem::EstoqueSemNumero(texto)
        | Mensagem::CompraSemNumero(texto)
        | Mensagem::Aviso(texto)
        | Mensagem::Outra(texto) => {
            assert_eq!(texto.trim_ascii(), texto, "o texto vem aparado");
            assert!(!texto.contains('\0'), "depois do NUL não há texto");
        }
    }
}

/// Cada resposta que o servidor escreve, o cliente entende.
fn respostas(numero: u64) {
    let outra = |resposta: Resposta| (resposta, Mensagem::Outra(resposta.to_string()));
    let respostas = [
        (Resposta::Estoque(numero), Mensagem::Estoque(numero.into())),
        (Resposta::Compra { restante: numero }, Mensagem::Compra { restante: numero.into() }),
        (Resposta::Esgotado, Mensagem::Esgotado),
        (Resposta::Lotado, Mensagem::Lotado),
        (Resposta::ForaDeAlcance, Mensagem::ForaDeAlcance),
        outra(Resposta::Ajuda),
        outra(Resposta::Despedida),
        outra(Resposta::Desconhecido),
        outra(Resposta::LinhaLonga),
        outra(Resposta::OutroProtocolo),
    ];
    for (resposta, entendida) in respostas {
        let mut escrita = Vec::new();
        resposta.escrever(&mut escrita);
        assert!(escrita.len() <= RESPOSTA_MAXIMA, "{resposta}");
        assert!(escrita.is_ascii(), "{resposta}");
        let fim = escrita.iter().position(|byte| *byte == b'\n');
        assert_eq!(fim, Some(escrita.len() - 1), "{resposta} é uma linha, inteira");
        assert_eq!(Mensagem::interpretar(&escrita), entendida, "{resposta}");
    }
    assert_eq!(Mensagem::interpretar(AVISO.as_bytes()), Mensagem::Aviso(AVISO.into()));
}
