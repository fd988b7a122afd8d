//! Servidores certos, menos em um jeito.

use super::*;

/// A multidão contra um servidor que é certo, menos neste jeito; `None` sem Python.
fn contra(jeito: &str, opcoes: &str) -> Option<Termino> {
    let (_servidor, endereco) = abrir_aluno("de_um_jeito.py", &[jeito])?;
    Some(multidao(endereco, &format!("--usuarios 20 --espera 20s {opcoes}")))
}

#[test]
fn o_aviso_que_falta_nao_diz_que_o_estoque_esta_errado() {
    // Curtas, e também quando nenhuma conexão passaria do esgotamento por si.
    for opcoes in ["--ciclos 1", "--ciclos 3", "--ciclos 3 --reconectar", "--threads 7 --ciclos 2"]
    {
        let Some(fim) = contra("nao_avisa", opcoes) else { return };
        assert_eq!((fim.codigo, veredito(&fim)), (Some(5), "Veredito: CONSISTENTE"), "{fim:?}");
        let aviso = veredito_do_aviso(&fim);
        assert!(aviso.starts_with("faltou: AVISO perdido: "), "{opcoes}: {aviso}");
        assert_eq!(conta(&fim, "vendas"), 10, "{fim:?}");
        assert!(fim.saida.contains(" à espera do AVISO)\n"), "{opcoes}: {}", fim.saida);
    }
}

#[test]
fn o_servidor_certo_tem_os_dois_vereditos_com_qualquer_duracao() {
    for opcoes in ["--ciclos 1", "--ciclos 3 --reconectar", "--threads 7 --ciclos 2"] {
        let Some(fim) = contra("certo", opcoes) else { return };
        assert_eq!((fim.codigo, veredito(&fim)), (Some(0), "Veredito: CONSISTENTE"), "{fim:?}");
        assert!(veredito_do_aviso(&fim).starts_with("certo ("), "{fim:?}");
    }
}

#[test]
fn o_aviso_que_demora_e_atraso_que_se_repete_e_repeticao() {
    for (jeito, aviso) in [
        ("avisa_tarde", "atrasado: AVISO atrasado, chegou 1,5"),
        ("avisa_duas_vezes", "repetido: AVISO repetido: "),
    ] {
        let Some(fim) = contra(jeito, "--ciclos 3") else { return };
        assert_eq!((fim.codigo, veredito(&fim)), (Some(5), "Veredito: CONSISTENTE"), "{fim:?}");
        assert!(veredito_do_aviso(&fim).starts_with(aviso), "{jeito}: {fim:?}");
    }
}

#[test]
fn o_aviso_a_quem_chega_depois_e_visto_ate_em_uma_simulacao_curta() {
    for opcoes in ["--ciclos 2", "--ciclos 3 --reconectar"] {
        let Some(fim) = contra("avisa_quem_chega", opcoes) else { return };
        assert_eq!((fim.codigo, veredito(&fim)), (Some(5), "Veredito: CONSISTENTE"), "{fim:?}");
        let aviso = veredito_do_aviso(&fim);
        assert!(aviso.starts_with("também a quem chegou depois: AVISO a quem chegou"), "{fim:?}");
    }
}

#[test]
fn sem_compra_que_se_entenda_nao_ha_veredito_sobre_as_vendas() {
    for (jeito, porque) in [
        (
            "compra_da_erro",
            "nenhuma resposta a COMPRAR foi entendida; a primeira foi 'Erro interno'",
        ),
        ("vende_com_erro", "nenhuma venda foi entendida; a primeira foi 'Erro interno'"),
        (
            "fecha",
            "o servidor fechou a conexão antes de cada compra (a atividade a quer aberta, §5)",
        ),
    ] {
        let Some(fim) = contra(jeito, "--ciclos 2 --exigir p99(comprar)<1h") else { return };
        assert_eq!(fim.codigo, Some(1), "{jeito}: {fim:?}");
        let esperado = format!("Veredito: SEM VEREDITO sobre as vendas: {porque}");
        assert_eq!(veredito(&fim), esperado, "{fim:?}");
    }
}

#[test]
fn respondida_de_outro_modo_nao_e_sem_resposta_nem_entra_nos_percentis() {
    let Some(fim) = contra("compra_da_erro", "--ciclos 2 --exigir p99(comprar)<1h") else { return };
    assert_eq!((conta(&fim, "de outro modo"), conta(&fim, "sem resposta")), (40, 0), "{fim:?}");
    assert!(fim.saida.contains("40 (CONSULTAR 0, COMPRAR 40); a primeira: 'Erro interno'\n"));
    assert!(fim.saida.contains("NÃO CUMPRIDA: p99(comprar)<1h (nada a medir)"), "{}", fim.saida);
    assert!(fim.saida.contains("Observação: 40 compras respondidas de outro modo: "), "{fim:?}");
}

/// O fim de linha que a multidão achou neste jeito, e disse, é este. Todos chegam antes da primeira compra, e por isso
/// todos ouvem o AVISO.
fn acha(jeito: &str, achado: Option<&str>) {
    let Some(fim) = contra(jeito, "--ciclos 2 --decisao 100s") else { return };
    assert_eq!((fim.codigo, veredito(&fim)), (Some(0), "Veredito: CONSISTENTE"), "{fim:?}");
    let contas = ["consultas", "vendas", "falhas", "AVISOs"].map(|nome| conta(&fim, nome));
    assert_eq!(contas, [40, 10, 0, 20], "{jeito}: {fim:?}");
    let dito = fim.erro.lines().find_map(|linha| Some(linha.split_once("--fim-de-linha ")?.1));
    assert_eq!(dito, achado, "{jeito}: {}", fim.erro);
}

#[test]
fn a_multidao_acha_o_fim_de_linha_e_so_o_diz_se_nao_e_lf() {
    thread::scope(|juntos| {
        for (jeito, achado) in [
            ("certo", None),
            ("exato", Some("nenhum")),
            ("exato_e_mudo", Some("nenhum")),
            ("crlf", Some("crlf")),
        ] {
            juntos.spawn(move || acha(jeito, achado));
        }
    });
}

#[test]
fn o_fim_de_linha_que_se_pede_nao_se_procura() {
    let Some(fim) = contra("exato", "--ciclos 1 --fim-de-linha lf") else { return };
    assert_eq!(fim.codigo, Some(1), "{fim:?}");
    assert!(fim.erro.contains("a primeira foi 'ERRO: Comando invalido'"), "{}", fim.erro);
    assert!(!fim.erro.contains("--fim-de-linha"), "{}", fim.erro);
}

#[test]
fn descobrir_o_fim_de_linha_nao_deixa_rastro_em_quem_entende_lf() {
    let mut servidor = Servidor::abrir(&[]);
    let fim = multidao(servidor.endereco(), "--usuarios 4 --ciclos 2");
    assert_eq!(fim.codigo, Some(0), "{fim:?}");
    let contas = servidor.encerrar();
    assert_eq!((contas.conta("conexões atendidas"), contas.conta("comandos")), (4, 16));
}

#[test]
fn ctrl_c_vale_enquanto_se_procura_o_fim_de_linha() {
    // Aceita e não diz nada: cada tentativa espera.
    let porta = TcpListener::bind("127.0.0.1:0").unwrap();
    let (chegou, chegada) = std::sync::mpsc::channel();
    let endereco = porta.local_addr().unwrap();
    thread::spawn(move || {
        let mut guardadas = Vec::new();
        for mut conexao in porta.incoming().flatten() {
            let _ = conexao.read(&mut [0; 64]);
            guardadas.push(conexao);
            let _ = chegou.send(());
        }
    });
    let mut cliente = Processo::iniciar(comando("cliente", argumentos(endereco, "--usuarios 3")));
    chegada.recv_timeout(testes::PRAZO).unwrap();
    cliente.sinal(Signal::INT);
    let fim = cliente.termino();
    assert_eq!(fim.codigo, Some(130), "{fim:?}");
}

#[test]
fn a_resposta_que_vem_duas_vezes_e_dita() {
    let Some(fim) = contra("responde_duas_vezes", "--ciclos 2") else { return };
    assert_eq!((fim.codigo, veredito(&fim)), (Some(0), "Veredito: CONSISTENTE"), "{fim:?}");
    assert!(fim.saida.contains(" respostas vieram de novo, sem outro pedido: "), "{fim:?}");
}

#[test]
fn a_resposta_que_vai_a_outro_e_dita() {
    // Poucos ciclos: cada pedido sem resposta espera por ela.
    let Some(fim) = contra("erra_o_cliente", "--ciclos 1") else { return };
    assert!(fim.saida.contains("Observação: as respostas se extraviam: "), "{fim:?}");
    assert!(conta(&fim, "sem resposta") > 0, "{fim:?}");
}

/// O servidor clássico do enunciado, o exemplo que acompanha o nosso.
fn classico(opcoes: &str) -> (Processo, SocketAddr) {
    let opcoes = format!("--porta 0 {opcoes}");
    let processo =
        Processo::iniciar(comando("examples/thread_por_conexao", opcoes.split_whitespace()));
    let endereco = processo.onde_ouve();
    (processo, endereco)
}

#[test]
fn uma_thread_por_conexao_com_trava_tambem_vende_certo() {
    let (_processo, endereco) = classico("--pausa 1ms");
    let fim = multidao(endereco, "--usuarios 50 --ciclos 2");
    assert_eq!((fim.codigo, veredito(&fim)), (Some(0), "Veredito: CONSISTENTE"), "{fim:?}");
    assert_eq!(conta(&fim, "vendas"), 10);
}

#[test]
fn sem_a_trava_vende_mais_do_que_tem_e_a_auditoria_ve() {
    // A pausa é longa para que a corrida aconteça em qualquer máquina, e não só em uma ocupada.
    let (_processo, endereco) = classico("--sem-trava --pausa 200ms");
    let fim = multidao(endereco, "--usuarios 50 --ciclos 1 --decisao 0s");
    assert!(conta(&fim, "vendas") > 10, "{}", fim.saida);
    assert_eq!(fim.codigo, Some(3), "{fim:?}");
    assert!(veredito(&fim).contains("estoque negativo"), "{}", veredito(&fim));
}
