//! A sonda da avaliação diante de servidores que não param de falar, que saúdam, ou que respondem fora
//! de hora. As provas inteiras são testadas com servidores de verdade, de ponta a ponta.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use cliente::auditoria::auditar;
use cliente::avaliacao::alvo::{Alvo, Quem};
use cliente::avaliacao::sonda::Sonda;
use cliente::conversa::fim_de_linha::FimDeLinha;
use protocolo::{Comando, Mensagem};

/// O alvo que é um servidor que atende cada conexão assim.
fn alvo(atender: impl Fn(TcpStream) + Send + Clone + 'static) -> Alvo {
    let porta = TcpListener::bind("127.0.0.1:0").unwrap();
    let endereco = porta.local_addr().unwrap();
    thread::spawn(move || {
        for conexao in porta.incoming().flatten() {
            let atender = atender.clone();
            thread::spawn(move || atender(conexao));
        }
    });
    Alvo {
        quem: Quem::NoAr,
        endereco,
        espera: Duration::ZERO,
        fim_de_linha: FimDeLinha::Lf,
        aberto: Arc::default(),
        costumes: Arc::default(),
        estilo: Arc::default(),
        inicio: Instant::now(),
        parada: Arc::default(),
    }
}

/// Espera um pedido; `false` se o cliente já se foi.
fn ouviu_um_pedido(mut conexao: &TcpStream) -> bool {
    matches!(conexao.read(&mut [0; 1024]), Ok(1..))
}

#[test]
fn quem_fala_sem_parar_nao_prende_nem_ocupa_a_memoria() {
    for fala in ["AVISO: nada\n", "oi\n", "sem fim "] {
        let falar = fala.repeat(500);
        let alvo = alvo(move |mut conexao| while conexao.write_all(falar.as_bytes()).is_ok() {});
        let mut sonda = Sonda::conectar(&alvo).unwrap();
        // O teste é isto terminar: sem prazo, seria para sempre.
        let _ = sonda.pede(Comando::Comprar);
        sonda.espera_aviso(alvo.inicio.elapsed());
        assert!(sonda.avisos.len() <= 1000, "{fala:?}: {}", sonda.avisos.len());
    }
}

#[test]
fn uma_saudacao_nao_e_a_resposta_ainda_que_chegue_junto_com_o_pedido() {
    let alvo = alvo(|mut conexao| {
        let mut estoque = 3;
        while ouviu_um_pedido(&conexao) {
            if estoque == 3 {
                conexao.write_all("Bem-vindo!\n".as_bytes()).unwrap();
            }
            estoque -= 1;
            conexao.write_all(format!("Estoque atual: {estoque}\n").as_bytes()).unwrap();
        }
    });
    let mut sonda = Sonda::conectar(&alvo).unwrap();
    for estoque in [2, 1, 0] {
        assert_eq!(sonda.pede(Comando::Consultar), Some(Mensagem::Estoque(estoque)));
    }
    assert_eq!(auditar(&[sonda.historia(1)], None).violacoes, []);
}

#[test]
fn quem_so_tem_as_suas_palavras_tambem_responde() {
    let alvo = alvo(|mut conexao| {
        while ouviu_um_pedido(&conexao) {
            conexao.write_all("Temos 10\n".as_bytes()).unwrap();
        }
    });
    let mut sonda = Sonda::conectar(&alvo).unwrap();
    for _ in 0..20 {
        let resposta = sonda.pede(Comando::Consultar);
        assert_eq!(resposta, Some(Mensagem::Outra("Temos 10".into())));
    }
    assert!(!sonda.trocas.iter().any(|troca| troca.ao_pe_da_letra()), "{:?}", sonda.trocas);
}

#[test]
fn o_aviso_que_ja_estava_aqui_vale_por_mais_tarde_que_se_olhe() {
    for aviso in ["AVISO: O estoque acabou de esgotar!", "Pessoal, acabou!\n"] {
        let alvo = alvo(move |mut conexao| {
            while ouviu_um_pedido(&conexao) {
                conexao.write_all("ERRO: Produto esgotado\n".as_bytes()).unwrap();
                conexao.write_all(aviso.as_bytes()).unwrap();
            }
        });
        let mut sonda = Sonda::conectar(&alvo).unwrap();
        assert_eq!(sonda.pede(Comando::Comprar), Some(Mensagem::Esgotado));
        sonda.espera_aviso(alvo.inicio.elapsed() + Duration::from_secs(60));
        assert_eq!(sonda.avisos, [aviso.trim()]);
    }
}
