//! As conversas com o servidor: o enunciado, o `nc`, as salas de aula, as multidões e quem não sabe
//! se comportar. Cada teste abre o seu servidor. As falhas em quantidade estão em `falhas.rs`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use testes::{Cliente, Servidor, ate, binario, comando, por_meio_de};

const AVISO: &str = "AVISO: O estoque acabou de esgotar!";
const ESGOTADO: &str = "ERRO: Produto esgotado";
const LOTADO: &str = "ERRO: Servidor lotado\n";
const LINHA_LONGA: &str = "ERRO: Linha longa demais\n";

fn compra(restante: usize) -> String {
    format!("Compra realizada. Estoque restante: {restante}")
}

#[test]
fn a_primeira_linha_diz_onde_escuta_e_quanto_ha() {
    let servidor = Servidor::abrir(&[]);
    let porta = servidor.endereco().port();
    assert_ne!(porta, 0);
    let dito = servidor.erro().ate("a linha de abertura", |_| true);
    assert_eq!(dito, format!("servidor: ouvindo em 127.0.0.1:{porta} (estoque: 10)\n"));
    assert_eq!(servidor.cliente().pede("CONSULTAR"), "Estoque atual: 10");
}

#[test]
fn as_respostas_do_enunciado_letra_por_letra() {
    let servidor = Servidor::abrir(&["--estoque", "2"]);
    let mut cliente = servidor.cliente();
    for (pedido, respostas) in [
        ("CONSULTAR\n", vec!["Estoque atual: 2"]),
        ("comprar\r\n", vec!["Compra realizada. Estoque restante: 1"]),
        ("  CoNsUlTaR\t\r\n", vec!["Estoque atual: 1"]),
        ("Comprar\n", vec!["Compra realizada. Estoque restante: 0", AVISO]),
        ("COMPRAR\r\nconsultar\n", vec![ESGOTADO, "Estoque atual: 0"]),
    ] {
        cliente.manda(pedido);
        assert_eq!(cliente.linhas(respostas.len()), respostas, "{pedido:?}");
    }
}

#[test]
fn o_estoque_pode_ser_nenhum_ou_o_maior_que_ha() {
    let nenhum = Servidor::abrir(&["--estoque", "0"]);
    assert_eq!(nenhum.cliente().pede("COMPRAR"), ESGOTADO);
    let maior = Servidor::abrir(&["--estoque", "18446744073709551615"]);
    assert_eq!(maior.cliente().pede("CONSULTAR"), "Estoque atual: 18446744073709551615");
}

#[test]
fn quem_usa_nc_tem_ajuda_erro_que_ensina_e_despedida() {
    let servidor = Servidor::abrir(&[]);
    let mut cliente = servidor.cliente();
    let ajuda = cliente.pede("ajuda");
    let erro = cliente.pede("VENDER");
    assert!(erro.starts_with("ERRO: "), "{erro}");
    for palavra in ["CONSULTAR", "COMPRAR", "AJUDA", "SAIR"] {
        assert!(ajuda.contains(palavra) && erro.contains(palavra), "{ajuda}\n{erro}");
    }
    // Linhas vazias não têm resposta; depois de SAIR nada mais vale, nem o que veio junto.
    cliente.manda("\n\r\n \t\nsair\nCOMPRAR\n");
    assert_eq!(cliente.fim(), "Volte sempre!\n");
    assert_eq!(servidor.cliente().pede("CONSULTAR"), "Estoque atual: 10");
}

#[test]
fn a_palavra_solta_das_salas_de_aula_e_respondida_em_um_recv() {
    let servidor = Servidor::abrir(&["--estoque", "4"]);
    let mut cliente = servidor.cliente();
    for (palavra, resposta) in [
        ("CONSULTAR", "Estoque atual: 4\n"),
        ("COMPRAR", "Compra realizada. Estoque restante: 3\n"),
        ("comprar", "Compra realizada. Estoque restante: 2\n"),
        // O fim de linha atrasado da anterior não é um comando, e este chega inteiro na frente.
        ("\nCOMPRAR", "Compra realizada. Estoque restante: 1\n"),
        ("CONSULTAR", "Estoque atual: 1\n"),
    ] {
        cliente.manda(palavra);
        assert_eq!(cliente.recv(), resposta, "{palavra:?}");
    }
}

#[test]
fn cinquenta_compradores_e_dez_unidades_dao_dez_vendas() {
    cinquenta_compram(|_, comprar| comprar());
}

#[test]
fn cinquenta_compradores_no_mesmo_turno_dao_dez_vendas() {
    cinquenta_compram(|servidor, comprar| servidor.congelado(comprar));
}

/// Cinquenta clientes conectados compram de uma vez, no instante que `quando` escolhe.
fn cinquenta_compram(quando: impl FnOnce(&Servidor, &mut dyn FnMut())) {
    let servidor = Servidor::abrir(&[]);
    let mut clientes: Vec<Cliente> = (0..50).map(|_| servidor.cliente()).collect();
    for cliente in &mut clientes {
        assert_eq!(cliente.pede("CONSULTAR"), "Estoque atual: 10");
    }
    quando(&servidor, &mut || {
        let largada = Barrier::new(clientes.len());
        thread::scope(|escopo| {
            for cliente in &mut clientes {
                escopo.spawn(|| {
                    largada.wait();
                    cliente.manda("COMPRAR\n");
                });
            }
        });
    });

    let mut vendas = BTreeSet::new();
    let mut recusas = 0;
    for cliente in &mut clientes {
        let ouvido = cliente.linhas(2);
        // Quem comprou tem a resposta na frente do AVISO, o da última unidade inclusive; quem
        // perdeu só pode ter perdido depois dele.
        if ouvido == [AVISO, ESGOTADO] {
            recusas += 1;
        } else {
            assert_eq!(ouvido[1], AVISO, "{ouvido:?}");
            assert!(vendas.insert(ouvido[0].clone()), "vendida duas vezes: {ouvido:?}");
        }
        // E nada mais: um AVISO só, uma resposta só.
        cliente.manda("SAIR\n");
        assert_eq!(cliente.fim(), "Volte sempre!\n");
    }
    assert_eq!(vendas, (0..10).map(compra).collect());
    assert_eq!(recusas, 40);
}

#[test]
fn antes_do_fim_a_palavra_solta_vale_e_a_incompleta_nao() {
    let servidor = Servidor::abrir(&[]);
    for (bytes, respostas) in [
        ("COMPRAR", "Compra realizada. Estoque restante: 9\n"),
        ("CONSULTAR\nCOMPR", "Estoque atual: 9\n"),
        ("AJUDA", ""),
        ("", ""),
    ] {
        let mut cliente = servidor.cliente();
        cliente.manda(bytes);
        cliente.fechar_escrita();
        assert_eq!(cliente.fim(), respostas, "{bytes:?}");
    }
}

#[test]
fn a_palavra_solta_vale_onde_quer_que_a_leitura_a_corte() {
    let servidor = Servidor::abrir(&["--estoque", "1000"]);
    let mut restante = 1000;
    // Se a leitura enche um buffer inteiro, ainda não se sabe que era só isso.
    for tamanho in (7..17).map(|potencia| 1 << potencia) {
        for fecha in [false, true] {
            let mut cliente = servidor.cliente();
            cliente.manda("\n".repeat(tamanho - "COMPRAR".len()) + "COMPRAR");
            if fecha {
                cliente.fechar_escrita();
            }
            restante -= 1;
            assert_eq!(cliente.linha(), compra(restante), "{tamanho}");
        }
    }
}

#[test]
fn uma_linha_longa_demais_ouve_por_que_e_nao_um_reset() {
    let servidor = Servidor::abrir(&[]);
    for tamanho in [513, 2000, 100 * 1024].repeat(10) {
        let mut cliente = servidor.cliente();
        cliente.manda(vec![b'x'; tamanho]);
        assert_eq!(cliente.fim(), LINHA_LONGA, "{tamanho}");
    }
    let mut cliente = servidor.cliente();
    cliente.manda("COMPRAR\n".to_owned() + &"y".repeat(600) + "\nCOMPRAR\n");
    assert_eq!(cliente.fim(), compra(9) + "\n" + LINHA_LONGA);
    // 512 bytes ainda são uma linha.
    assert!(servidor.cliente().pede(&"z".repeat(512)).starts_with("ERRO: Comando"));
}

#[test]
fn quem_ainda_manda_uma_linha_sem_fim_nao_e_cortado_antes_de_ouvir() {
    let servidor = Servidor::abrir(&[]);
    let mut cliente = servidor.cliente();
    // Não cabe nos buffers: só termina se o servidor continuar lendo depois da última palavra.
    cliente.manda(vec![b'x'; 1024 * 1024]);
    assert_eq!(cliente.fim(), LINHA_LONGA);
}

#[test]
fn a_casa_cheia_explica_nada_vende_e_o_lugar_que_vaga_serve() {
    let mut servidor = Servidor::abrir(&["--max-conexoes", "2"]);
    let mut fica = servidor.cliente();
    let mut sai = servidor.cliente();
    for cliente in [&mut fica, &mut sai] {
        assert_eq!(cliente.pede("CONSULTAR"), "Estoque atual: 10");
    }
    // Com a compra feita antes ou depois de o servidor olhar para a porta.
    let cedo = servidor.congelado(|| {
        let mut cliente = servidor.cliente();
        cliente.manda("COMPRAR\n");
        cliente
    });
    let mut tarde = servidor.cliente();
    tarde.manda("COMPRAR\n");
    for mut cliente in [cedo, tarde] {
        assert_eq!(cliente.fim(), LOTADO);
    }
    drop(sai);
    let mut novo = ate("um lugar vagar", || {
        let mut cliente = servidor.cliente();
        cliente.manda("CONSULTAR\n");
        (cliente.linha() == "Estoque atual: 10").then_some(cliente)
    });
    assert_eq!(novo.pede("COMPRAR"), compra(9));
    assert_eq!(fica.pede("CONSULTAR"), "Estoque atual: 9");
    drop((fica, novo));
    let termino = servidor.encerrar();
    assert_eq!(termino.conta("pico de conexões simultâneas"), 2);
    assert_eq!(termino.conta("conexões atendidas"), 3);
    assert!(termino.conta("conexões recusadas (lotado)") >= 2);
}

#[test]
fn quem_nada_manda_e_fechado_por_ocioso() {
    const OCIOSO: Duration = Duration::from_millis(300);
    let servidor = Servidor::abrir(&["--ocioso", "300ms"]);
    let antes = Instant::now();
    assert_eq!(servidor.cliente().fim(), "ERRO: Tempo demais sem nenhum comando\n");
    assert!(antes.elapsed() >= OCIOSO, "fechou cedo: {:?}", antes.elapsed());
    servidor.registro().ate("o motivo", |log| log.contains("desconectou (ocioso)\n"));
}

#[test]
fn quem_nao_le_nao_atrapalha_os_outros_e_nada_perde() {
    // Cada dois bytes destes têm 67 de resposta, quase 7 MB: não cabem nos buffers do sistema.
    const PEDIDOS: usize = 100_000;
    let servidor = Servidor::abrir(&["--silencioso"]);
    let mut lento = servidor.cliente();
    let mut mao = lento.outra_mao();
    let mandar = thread::spawn(move || mao.write_all("x\n".repeat(PEDIDOS).as_bytes()));
    let mut outro = servidor.cliente();
    for _ in 0..1000 {
        assert_eq!(outro.pede("CONSULTAR"), "Estoque atual: 10");
    }
    let erro = outro.pede("x");
    for _ in 0..PEDIDOS {
        assert_eq!(lento.linha(), erro);
    }
    mandar.join().unwrap().unwrap();
    assert_eq!(lento.pede("COMPRAR"), compra(9));
}

#[test]
fn com_poucos_descritores_recusa_sobrevive_e_volta_a_atender() {
    let servidor = Servidor::de(com_descritores(64, &[]));
    let mut clientes: Vec<Cliente> = (0..200).map(|_| servidor.cliente()).collect();
    for cliente in &mut clientes {
        cliente.manda("CONSULTAR\n");
    }
    let (mut atendidos, mut recusados) = (Vec::new(), 0);
    for mut cliente in clientes {
        match cliente.linha().as_str() {
            "Estoque atual: 10" => atendidos.push(cliente),
            "ERRO: Servidor lotado" => recusados += 1,
            outra => panic!("{outra}"),
        }
    }
    assert!((1..64).contains(&atendidos.len()), "atendeu {}", atendidos.len());
    assert_eq!(atendidos.len() + recusados, 200);
    assert_eq!(atendidos[0].pede("COMPRAR"), compra(9));
    drop(atendidos);
    ate("voltar a atender", || {
        let mut cliente = servidor.cliente();
        cliente.manda("CONSULTAR\n");
        (cliente.linha() == "Estoque atual: 9").then_some(())
    });
}

#[test]
fn com_a_casa_vazia_e_sem_descritores_a_porta_e_tentada_outra_vez() {
    let servidor = Servidor::abrir(&[]);
    let exame = servidor.exame();
    let limite = exame.limitar_descritores(exame.menor_livre());
    let dormiu = exame.vezes_que_dormiu();
    let mut cliente = servidor.cliente();
    cliente.manda("CONSULTAR\n");
    // Nenhum evento virá: a conexão já está na fila, e não há mais ninguém na casa. Quem volta à porta por
    // conta própria dorme entre uma tentativa e outra.
    ate("o servidor voltar à porta", || (exame.vezes_que_dormiu() > dormiu + 3).then_some(()));
    exame.limitar_descritores(limite);
    assert_eq!(cliente.linha(), "Estoque atual: 10");
}

#[test]
fn pedir_mais_conexoes_do_que_cabem_e_dito_na_abertura() {
    let servidor = Servidor::de(com_descritores(64, &["--max-conexoes", "1000"]));
    servidor.erro().ate("o aviso", |erro| {
        erro.contains("servidor: --max-conexoes 1000 não cabe no limite de descritores")
    });
    // Mais do que os 64 descritores: quem não cabe ouve por quê, em vez de ficar à porta.
    let clientes: Vec<_> = (0..64).map(|_| servidor.cliente()).collect();
    assert_eq!(servidor.cliente().fim(), "ERRO: Servidor lotado\n");
    drop(clientes);
}

/// O servidor com um limite de descritores que ele não pode aumentar.
fn com_descritores(limite: u32, opcoes: &[&str]) -> Command {
    let mut comando = Command::new("sh");
    comando
        .args(["-c", &format!("ulimit -n {limite}; exec \"$0\" \"$@\"")])
        .arg(binario("servidor"))
        .args(opcoes)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    comando
}

#[test]
fn um_byte_urgente_nao_esconde_o_que_vem_depois_dele() {
    let servidor = Servidor::abrir(&[]);
    let mut cliente = servidor.cliente();
    assert_eq!(cliente.pede("CONSULTAR"), "Estoque atual: 10");
    // Tudo chega antes de o servidor olhar: a leitura para no byte urgente, com o resto atrás.
    servidor.congelado(|| {
        cliente.manda("CONSULTAR\n");
        cliente.manda_urgente();
        cliente.manda("COMPRAR\nCONSULTAR\n");
    });
    assert_eq!(
        cliente.linhas(3),
        ["Estoque atual: 10", "Compra realizada. Estoque restante: 9", "Estoque atual: 9"]
    );
}

#[test]
fn nuls_bom_e_telnet_em_volta_de_um_comando_nao_o_estragam() {
    let servidor = Servidor::abrir(&[]);
    let mut cheio = b"CONSULTAR".to_vec();
    cheio.resize(1024, 0);
    let negociacao = b"\xff\xfd\x03\xff\xfb\x18CONSULTAR\r\n".to_vec();
    let as_duas = b"\xff\xfd\x03\xef\xbb\xbfCONSULTAR\n".to_vec();
    let bom_antes = b"\xef\xbb\xbf\xff\xfd\x03CONSULTAR\n".to_vec();
    let inicios: [&[u8]; 6] =
        [b"CONSULTAR\0", &cheio, b"\xef\xbb\xbfCONSULTAR\r\n", &negociacao, &as_duas, &bom_antes];
    for bytes in inicios {
        let mut cliente = servidor.cliente();
        cliente.manda(bytes);
        assert_eq!(cliente.linha(), "Estoque atual: 10", "{}", bytes.escape_ascii());
    }
}

#[test]
fn uma_palavra_desconhecida_cheia_de_nuls_ouve_o_erro_sem_esperar_o_fim_da_linha() {
    let servidor = Servidor::abrir(&[]);
    let mut cliente = servidor.cliente();
    let mut cheio = b"BARGANHAR".to_vec();
    cheio.resize(1024, 0);
    cliente.manda(&cheio);
    assert!(cliente.linha().starts_with("ERRO: Comando desconhecido"));
    assert_eq!(cliente.pede("COMPRAR"), compra(9));
}

#[test]
fn o_que_ficou_sem_terminar_esta_na_linha_do_fechamento() {
    let servidor = Servidor::abrir(&[]);
    let mut cliente = servidor.cliente();
    cliente.manda(b"xyz\x1b[2J");
    cliente.fechar_escrita();
    cliente.fim();
    servidor.registro().ate("os bytes, escapados", |log| {
        log.contains("desconectou (fim) sem terminar: xyz\\x1b[2J\n")
    });
    let mut cliente = servidor.cliente();
    cliente.manda("y".repeat(400));
    cliente.fechar_escrita();
    cliente.fim();
    let log = servidor.registro().ate("o corte", |log| log.contains("sem terminar: yyy"));
    let linha = log.lines().find(|linha| linha.contains("sem terminar: yyy")).unwrap();
    assert!(linha.matches('y').count() < 200, "{linha}");
}

#[test]
fn quem_cala_e_perguntado_se_ainda_esta_la() {
    let servidor = Servidor::abrir(&[]);
    let mut cliente = servidor.cliente();
    cliente.pede("CONSULTAR");
    let porta = format!("sport = :{}", servidor.endereco().port());
    let Ok(saida) = Command::new("ss").args(["-Htno", "state", "established", &porta]).output()
    else {
        println!("sem o ss: teste pulado");
        return;
    };
    let saida = String::from_utf8(saida.stdout).unwrap();
    assert!(saida.contains("timer:(keepalive,"), "{saida}");
}

#[test]
fn as_respostas_nao_esperam_umas_pelas_outras() {
    let pasta = tempfile::tempdir().unwrap();
    let rastro = pasta.path().join("rastro");
    // Com `-D`, o filho deste teste é o servidor, e não o strace: quem acaba com um strace deixa o outro vivo.
    let por = ["strace", "-D", "-f", "-qq", "-e", "trace=setsockopt,accept4", "-o"];
    let por: Vec<&str> = por.into_iter().chain([rastro.to_str().unwrap()]).collect();
    let comando = por_meio_de(&por, &comando("servidor", [""; 0]));
    if !Command::new("strace")
        .args(["-f", "-qq", "-o", "/dev/null", "true"])
        .status()
        .is_ok_and(|fim| fim.success())
    {
        println!("sem um strace que acompanhe processos: teste pulado");
        return;
    }
    let servidor = Servidor::de(comando);
    let mut cliente = servidor.cliente();
    cliente.pede("CONSULTAR");
    ate("TCP_NODELAY depois do aceite", || {
        let rastro = fs::read_to_string(&rastro).unwrap();
        let (_, depois) = rastro.split_once("accept4(")?;
        depois.contains("TCP_NODELAY, [1]").then_some(())
    });
}

#[test]
fn um_registro_que_passa_do_limite_de_arquivos_perde_linhas_e_a_venda_continua() {
    let pasta = tempfile::tempdir().unwrap();
    let registro = pasta.path().join("vendas.log");
    let comando = comando("servidor", ["--registro", registro.to_str().unwrap()]);
    let comando = por_meio_de(&["sh", "-c", "ulimit -f 16; exec \"$@\"", "sh"], &comando);
    let mut servidor = Servidor::de(comando);
    let mut cliente = servidor.cliente();
    for _ in 0..1_000 {
        assert_eq!(cliente.pede("CONSULTAR"), "Estoque atual: 10");
    }
    assert_eq!(cliente.pede("COMPRAR"), compra(9));
    drop(cliente);
    let termino = servidor.encerrar();
    assert_eq!(termino.codigo, Some(0), "{}", termino.erro);
    assert!(termino.conta("linhas de registro perdidas") > 0, "{}", termino.erro);
}
