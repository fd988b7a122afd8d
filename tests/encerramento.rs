//! O fim: o primeiro sinal responde o que já chegou e presta contas; o segundo não espera ninguém.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::net::TcpStream;

use testes::{Cliente, Processo, Servidor, Signal, comando, palavras_em_ingles};

/// O que ouve, antes do fim, quem ainda estava conectado.
const ENCERRANDO: &str = "ERRO: Servidor encerrando\n";

#[test]
fn ctrl_c_encerra_com_0_e_presta_contas() {
    presta_contas(Signal::INT);
}

#[test]
fn sigterm_encerra_com_0_e_presta_contas() {
    presta_contas(Signal::TERM);
}

fn presta_contas(sinal: Signal) {
    let mut servidor = Servidor::abrir(&["--estoque", "3", "--max-conexoes", "2"]);
    // Dois juntos, e um terceiro não cabe.
    let mut clientes = [servidor.cliente(), servidor.cliente()];
    for cliente in &mut clientes {
        cliente.pede("CONSULTAR");
        cliente.pede("COMPRAR");
        cliente.pede("BARGANHAR");
    }
    assert_eq!(servidor.cliente().fim(), "ERRO: Servidor lotado\n");
    drop(clientes);
    servidor.registro().ate("duas saídas", |log| log.matches("desconectou (fim)").count() == 2);
    // E um sozinho, que ainda está lá quando o sinal chega.
    let mut ultimo = servidor.cliente();
    assert_eq!(ultimo.pede("CONSULTAR"), "Estoque atual: 1");
    servidor.sinal(sinal);
    assert_eq!(ultimo.fim(), ENCERRANDO);
    drop(ultimo);
    let termino = servidor.termino();
    assert_eq!(termino.codigo, Some(0));
    for (nome, numero) in [
        ("conexões atendidas", 3),
        ("pico de conexões simultâneas", 2),
        ("conexões recusadas (lotado)", 1),
        ("comandos", 7),
        ("vendas", 2),
        ("recusas (esgotado)", 0),
        ("estoque restante", 1),
        ("linhas de registro perdidas", 0),
    ] {
        assert_eq!(termino.conta(nome), numero, "{nome}:\n{}", termino.erro);
    }
    assert_eq!(palavras_em_ingles(&termino.erro), [""; 0]);
}

#[test]
fn as_contas_de_quem_esgotou_falam_das_recusas() {
    let mut servidor = Servidor::abrir(&["--estoque", "1"]);
    let mut cliente = servidor.cliente();
    cliente.manda("COMPRAR\n".repeat(5));
    cliente.linhas(6);
    drop(cliente);
    let termino = servidor.encerrar();
    let contas = ["vendas", "recusas (esgotado)", "estoque restante"].map(|n| termino.conta(n));
    assert_eq!(contas, [1, 4, 0]);
}

#[test]
fn sem_cliente_nenhum_encerra_na_hora() {
    let mut servidor = Servidor::abrir(&[]);
    let termino = servidor.encerrar();
    assert_eq!((termino.codigo, termino.conta("conexões atendidas")), (Some(0), 0));
}

#[test]
fn o_que_ja_chegou_e_respondido_antes_do_fim() {
    let mut servidor = Servidor::abrir(&[]);
    let mut clientes: Vec<Cliente> = (0..20).map(|_| servidor.cliente()).collect();
    for cliente in &mut clientes {
        cliente.manda("CONSULTAR\n".repeat(1000));
    }
    // O último já tem uma resposta: todos foram aceitos, e de todos ainda há o que ler.
    assert_eq!(clientes[19].linha(), "Estoque atual: 10");
    servidor.sinal(Signal::TERM);
    for (n, cliente) in clientes.iter_mut().enumerate() {
        let faltam = if n == 19 { 999 } else { 1000 };
        let ditas = cliente.fim();
        assert_eq!(ditas, "Estoque atual: 10\n".repeat(faltam) + ENCERRANDO, "cliente {n}");
    }
    drop(clientes);
    let termino = servidor.termino();
    assert_eq!((termino.codigo, termino.conta("comandos")), (Some(0), 20_000));
}

#[test]
fn o_que_chega_junto_com_o_sinal_e_respondido() {
    let mut servidor = Servidor::abrir(&["--estoque", "1000"]);
    let mut cliente = servidor.cliente();
    assert_eq!(cliente.pede("CONSULTAR"), "Estoque atual: 1000");
    // Quando o servidor acordar, os pedidos e o sinal estarão no mesmo turno.
    servidor.congelado(|| {
        cliente.manda("COMPRAR\n".repeat(1000));
        servidor.sinal(Signal::TERM);
    });
    let ditas = cliente.fim();
    drop(cliente);
    let esperado = format!("restante: 0\nAVISO: O estoque acabou de esgotar!\n{ENCERRANDO}");
    assert!(ditas.ends_with(&esperado), "{ditas}");
    assert_eq!(ditas.lines().count(), 1002);
    let termino = servidor.termino();
    assert_eq!((termino.codigo, termino.conta("vendas")), (Some(0), 1000));
}

/// Quantos estão à porta: bem mais do que um turno aceita, e menos do que os descritores de um processo.
const PESSOAS: u64 = 500;

#[test]
fn quem_ja_estava_a_porta_e_atendido_antes_de_ela_fechar() {
    let mut servidor = Servidor::abrir(&["--estoque", "1000"]);
    // Com o servidor congelado, as conexões se completam na fila do sistema, e os pedidos com elas. São
    // bem mais do que as que um turno aceita: o sinal é visto com gente ainda à porta.
    let mut multidao = servidor.congelado(|| {
        let multidao: Vec<_> = (0..PESSOAS)
            .map(|_| {
                let mut cliente = servidor.cliente();
                cliente.manda("COMPRAR\n");
                cliente
            })
            .collect();
        servidor.sinal(Signal::TERM);
        multidao
    });
    for cliente in &mut multidao {
        assert!(cliente.fim().starts_with("Compra realizada. Estoque restante: "));
    }
    drop(multidao);
    let termino = servidor.termino();
    assert_eq!((termino.codigo, termino.conta("vendas")), (Some(0), PESSOAS));
}

#[test]
fn dois_sinais_colados_sao_um_pedido_so() {
    let mut servidor = Servidor::abrir(&[]);
    // Este segura o encerramento por um tempo: nada termina antes de o segundo sinal chegar.
    let cliente = servidor.cliente();
    servidor.registro().ate("a conexão", |texto| texto.contains("conectou"));
    servidor.congelado(|| {
        servidor.sinal(Signal::TERM);
        servidor.sinal(Signal::INT);
    });
    let termino = servidor.termino();
    assert_eq!((termino.codigo, termino.conta("conexões atendidas")), (Some(0), 1));
    drop(cliente);
}

#[test]
fn o_segundo_sinal_encerra_na_hora_com_130() {
    for [primeiro, segundo] in [[Signal::INT, Signal::INT], [Signal::TERM, Signal::INT]] {
        let mut servidor = Servidor::abrir(&[]);
        // Este não lê o muito que tem a ouvir, e o servidor lhe dá uns segundos para isso.
        let mut preso = servidor.cliente();
        preso.manda("x\n".repeat(100_000));
        let mut cliente = servidor.cliente();
        assert_eq!(cliente.pede("CONSULTAR"), "Estoque atual: 10");
        servidor.sinal(primeiro);
        assert_eq!(cliente.fim(), ENCERRANDO);
        // Já encerrando, a porta já está fechada para quem chega.
        assert!(TcpStream::connect(servidor.endereco()).is_err());
        // Um sinal colado ao primeiro ainda é o mesmo pedido: insiste-se, como quem tem pressa.
        let termino = servidor.insistir(segundo);
        assert_eq!(termino.codigo, Some(130));
        assert!(!termino.erro.contains("encerrado"), "{}", termino.erro);
    }
}

#[test]
fn um_cliente_que_nunca_fecha_nao_segura_o_servidor() {
    let mut servidor = Servidor::abrir(&[]);
    let mut cliente = servidor.cliente();
    assert_eq!(cliente.pede("COMPRAR"), "Compra realizada. Estoque restante: 9");
    let termino = servidor.encerrar();
    assert_eq!((termino.codigo, termino.conta("vendas")), (Some(0), 1));
    assert_eq!(cliente.fim(), ENCERRANDO);
}

#[test]
fn um_cliente_que_nao_le_nao_segura_o_servidor() {
    let mut servidor = Servidor::abrir(&[]);
    let mut cliente = servidor.cliente();
    cliente.pede("CONSULTAR");
    // Quase 7 MB de respostas que ninguém lê: não cabem nos buffers do sistema.
    cliente.manda("x\n".repeat(100_000));
    let termino = servidor.encerrar();
    assert_eq!(termino.codigo, Some(0));
    // O registro diz o fim de quem ficou para trás.
    let fim = format!(" {} desconectou (encerramento)\n", cliente.endereco());
    assert_eq!(termino.saida.matches("desconectou").count(), 1);
    assert!(termino.saida.ends_with(&fim));
}

#[test]
fn a_mesma_porta_reabre_logo_depois() {
    let mut servidor = Servidor::abrir(&[]);
    let endereco = servidor.endereco();
    // Quem fecha primeiro fica em TIME_WAIT, e aqui é o servidor: a porta ainda tem dono.
    let mut cliente = servidor.cliente();
    cliente.manda("SAIR\n");
    assert_eq!(cliente.fim(), "Volte sempre!\n");
    drop(cliente);
    assert_eq!(servidor.encerrar().codigo, Some(0));

    let porta = endereco.port().to_string();
    let outro =
        Processo::iniciar(comando("servidor", ["--endereco", "127.0.0.1", "--porta", &porta]));
    outro.erro.ate("a porta reaberta", |erro| erro.contains(&format!("ouvindo em {endereco}")));
    assert_eq!(Cliente::conectar(endereco).pede("CONSULTAR"), "Estoque atual: 10");
}
