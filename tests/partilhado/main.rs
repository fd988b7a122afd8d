//! Um estoque vendido por vários servidores, com um etcd de verdade: os casos comuns, as falhas, e a multidão como
//! juiz. Sem um etcd na máquina cada teste é pulado, e diz o que instalar.
//!
//! ```text
//! cargo test -p testes --test partilhado -- --nocapture --test-threads=1      # com o tempo de cada falha
//! ```

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod abertura;
mod casa;
mod cluster;
mod elos;
mod falhas;
mod pedidos;
mod vaga;

use std::collections::BTreeSet;
use std::time::Duration;

use casa::{conferir, extrato, multidao, servidor};
use cluster::Cluster;
use testes::{
    PAINEL_E_TEXTO, Servidor, Signal, ate, ate_em, conta, executar, ler, ler_metricas,
    metricas_citadas, metricas_da_tabela, numero, onde_mostra, veredito_do_aviso,
};

#[test]
fn tres_servidores_vendem_um_estoque_so_e_a_multidao_o_prova() {
    let Some(cluster) = Cluster::abrir(1, &[]) else { return };
    let urls = cluster.urls();
    let servidores: Vec<Servidor> = (1..=3)
        .map(|n| servidor(&urls, &format!("s{n}"), &["--estoque", "100", "--silencioso"]))
        .collect();
    let pasta = tempfile::tempdir().unwrap();
    let todos: Vec<&Servidor> = servidores.iter().collect();
    let opcoes = "--usuarios 60 --ciclos 3 --acelerar 50 --estoque 100";
    let termino = multidao(&todos, &pasta, opcoes).termino();
    assert_eq!(conferir(&urls, &pasta, &termino), 100);
    assert_eq!((termino.codigo, conta(&termino, "recusas")), (Some(0), 80), "{}", termino.saida);
    assert_eq!(veredito_do_aviso(&termino), "certo (60 conexões o ouviram)");
    let extrato = extrato(&urls);
    assert_eq!((&extrato["vendidas"], &extrato["restantes"]), (&100.into(), &0.into()));
    let vendeu = |nome: &str| {
        let vendas = extrato["vendas"].as_array().unwrap().iter();
        vendas.filter(|venda| venda["servidor"] == nome).count()
    };
    assert!(["s1", "s2", "s3"].iter().all(|nome| vendeu(nome) > 0), "{extrato}");
}

#[test]
fn o_ultimo_comprador_e_os_dos_outros_servidores_ouvem_o_aviso_uma_vez_e_repor_o_rearma() {
    let Some(cluster) = Cluster::abrir(1, &[]) else { return };
    let urls = cluster.urls();
    let (um, outro) = (servidor(&urls, "um", &["--estoque", "2"]), servidor(&urls, "outro", &[]));
    let (mut ana, mut rui) = (um.cliente(), outro.cliente());
    for (vez, restante) in [(1, 1), (2, 0)] {
        assert_eq!(rui.pede("CONSULTAR"), format!("Estoque atual: {}", restante + 1), "{vez}");
        assert_eq!(ana.pede("COMPRAR"), format!("Compra realizada. Estoque restante: {restante}"));
    }
    let aviso = "AVISO: O estoque acabou de esgotar!";
    assert_eq!((ana.linha(), rui.linha()), (aviso.into(), aviso.into()));
    assert_eq!(rui.pede("COMPRAR"), "ERRO: Produto esgotado");
    // Com os servidores abertos.
    let repor = executar("servidor", ["--partilhado", &urls, "--repor", "1"]);
    assert_eq!(repor.codigo, Some(0), "{}", repor.erro);
    assert!(repor.erro.contains("2 vendidas, 1 à venda"), "{}", repor.erro);
    assert_eq!(ana.pede("CONSULTAR"), "Estoque atual: 1");
    assert_eq!(rui.pede("COMPRAR"), "Compra realizada. Estoque restante: 0");
    assert_eq!((rui.linha(), ana.linha()), (aviso.into(), aviso.into()));
    for servidor in [&um, &outro] {
        let reposto = |log: &str| log.matches(" estoque: reposto (de 0 para 1)\n").count() == 1;
        servidor.registro().ate("a reposição", reposto);
    }
    // E nenhum dos dois outra vez.
    assert!(ana.pede("AJUDA").starts_with("Comandos:"));
    assert_eq!(rui.pede("COMPRAR"), "ERRO: Produto esgotado");
    let extrato = extrato(&urls);
    let contas =
        ["inicial", "repostas", "vendidas", "restantes"].map(|nome| extrato[nome].as_u64());
    assert_eq!(contas, [Some(2), Some(1), Some(3), Some(0)]);
    let resumo = executar("servidor", ["extrato", "--resumo", "--partilhado", &urls]);
    assert_eq!(resumo.codigo, Some(0), "{}", resumo.erro);
    for linha in ["reposto           1", "vendido           3", "3  127.0.0.1", "Íntegro:"] {
        assert!(resumo.saida.contains(linha), "{}", resumo.saida);
    }
}

#[test]
fn as_metricas_contam_cada_proposta_e_como_acabou() {
    let Some(cluster) = Cluster::abrir(1, &[]) else { return };
    let um = servidor(&cluster.urls(), "um", &["--estoque", "2", "--metricas", "0"]);
    let mut ana = um.cliente();
    for resposta in
        ["Compra realizada. Estoque restante: 1", "Compra realizada. Estoque restante: 0"]
    {
        assert_eq!(ana.pede("COMPRAR"), resposta);
    }
    let texto = ler_metricas(onde_mostra(&um));
    let numero = |nome: &str| numero(&texto, &format!("vendas_{nome}"));
    // Uma de cada vez: cada compra foi uma proposta, e as duas valeram.
    assert_eq!(numero("partilhado_proposta_duracao_seconds_count"), 2);
    assert_eq!(numero("partilhado_propostas_total{desfecho=\"firme\"}"), 2);
    assert_eq!(numero("partilhado_propostas_total{desfecho=\"nao valeu\"}"), 0);
    assert_eq!((numero("unidades_vendidas_total"), numero("avisos_total")), (2, 1));
    // O painel e o texto do operador só falam das que há; e o texto, de todas.
    let partilhada = |nome: &String| nome.starts_with("partilhado_");
    let ha: BTreeSet<String> = metricas_citadas(&texto).into_iter().filter(partilhada).collect();
    for nome in PAINEL_E_TEXTO {
        let fala: BTreeSet<_> =
            metricas_citadas(&ler(nome)).into_iter().filter(partilhada).collect();
        assert!(!fala.is_empty() && fala.is_subset(&ha), "{nome}: {fala:?}");
    }
    let da_tabela: BTreeSet<_> =
        metricas_da_tabela(&ler(PAINEL_E_TEXTO[1])).filter(partilhada).collect();
    assert_eq!(da_tabela, ha);
}

/// O etcd congelado não diz se a compra valeu: quem comprou não ouve nada, e ninguém escreve que nada foi vendido.
#[test]
fn de_uma_compra_sem_desfecho_o_registro_diz_que_nao_se_sabe_e_as_metricas_que_nada_se_vende() {
    let Some(cluster) = Cluster::abrir(1, &[]) else { return };
    let urls = cluster.urls();
    let servidor = servidor(&urls, "um", &["--estoque", "5", "--metricas", "0"]);
    let onde = onde_mostra(&servidor);
    let ao_alcance = || numero(&ler_metricas(onde), "vendas_partilhado_ao_alcance");
    let mut cliente = servidor.cliente();
    assert_eq!(cliente.pede("COMPRAR"), "Compra realizada. Estoque restante: 4");
    assert_eq!(ao_alcance(), 1);
    cluster.sinal(0, Signal::STOP);
    cliente.manda("COMPRAR\n");
    ate("dizer que está fora de alcance", || (ao_alcance() == 0).then_some(()));
    // A paciência de quem compra é de 30 s.
    let registro = || servidor.registro().ate_agora();
    let fechou = || registro().contains("desconectou (sem desfecho)").then_some(());
    ate_em(Duration::from_secs(60), "a conexão fechar", fechou);
    assert_eq!(cliente.linha_ou_fim(), None);
    cluster.sinal(0, Signal::CONT);
    ate("voltar ao alcance", || (ao_alcance() == 1).then_some(()));
    let registro = registro();
    assert!(registro.contains(" COMPRAR -> (sem resposta: pode ter valido)\n"), "{registro}");
    assert!(!registro.contains("Nada foi vendido"), "{registro}");
    let sem_desfecho = "vendas_conexoes_encerradas_total{fim=\"sem desfecho\"}";
    assert_eq!(numero(&ler_metricas(onde), sem_desfecho), 1);
}

#[test]
fn um_pedido_tem_a_mesma_resposta_em_qualquer_servidor_e_depois_de_uma_queda() {
    let Some(cluster) = Cluster::abrir(1, &[]) else { return };
    let urls = cluster.urls();
    let (um, outro) = (servidor(&urls, "um", &["--estoque", "3"]), servidor(&urls, "outro", &[]));
    let (mut ana, mut rui) = (um.cliente(), outro.cliente());
    let compra = |restante: u64| format!("Compra realizada. Estoque restante: {restante}");
    assert_eq!(ana.pede("PEDIDO a"), compra(2));
    assert_eq!(rui.pede("COMPRAR"), compra(1));
    assert_eq!(rui.pede("PEDIDO a"), compra(2));
    assert_eq!(rui.pede("PEDIDO b"), compra(0));
    assert!(rui.linha().starts_with("AVISO"));
    assert_eq!(rui.pede("PEDIDO c"), "ERRO: Produto esgotado");
    drop(um);
    assert_eq!(executar("servidor", ["--partilhado", &urls, "--repor", "2"]).codigo, Some(0));
    let um = servidor(&urls, "um", &[]);
    let mut ana = um.cliente();
    for (pedido, resposta) in
        [("a", compra(2)), ("b", compra(0)), ("c", "ERRO: Produto esgotado".into())]
    {
        assert_eq!(ana.pede(&format!("PEDIDO {pedido}")), resposta, "{pedido}");
    }
    // Mais do que cabe em uma transação do etcd, e uns deles repetidos.
    let muitos: String = (0..200).map(|n| format!("PEDIDO m{}\n", n % 150)).collect();
    ana.manda(&muitos);
    let mut respostas = ana.linhas(201);
    respostas.retain(|linha| !linha.starts_with("AVISO"));
    assert_eq!(respostas[..2], [compra(1), compra(0)]);
    assert!(respostas[2..150].iter().all(|linha| linha == "ERRO: Produto esgotado"));
    assert_eq!(respostas[150..], respostas[..50]);
    let extrato = extrato(&urls);
    let vendas = extrato["vendas"].as_array().unwrap();
    let pedidos: Vec<_> = vendas.iter().map(|venda| venda["pedido"].as_str()).collect();
    assert_eq!(pedidos, [Some("a"), None, Some("b"), Some("m0"), Some("m1")]);
    assert_eq!(extrato["integro"], true);
}

#[test]
fn dois_servidores_com_o_mesmo_nome_nao_vendem_os_dois() {
    let Some(cluster) = Cluster::abrir(1, &[]) else { return };
    let urls = cluster.urls();
    let mut primeiro = servidor(&urls, "s1", &["--estoque", "5"]);
    assert_eq!(primeiro.cliente().pede("COMPRAR"), "Compra realizada. Estoque restante: 4");
    let segundo = servidor(&urls, "s1", &[]);
    let termino = primeiro.termino();
    assert_eq!(termino.codigo, Some(1));
    assert!(termino.erro.contains("outro servidor chamado s1 abriu"), "{}", termino.erro);
    assert_eq!(segundo.cliente().pede("COMPRAR"), "Compra realizada. Estoque restante: 3");
    assert_eq!(extrato(&urls)["vendidas"], 2);
}

#[test]
fn sem_maioria_ouve_se_que_nada_foi_vendido_e_o_registro_diz_desde_quando() {
    let Some(mut cluster) = Cluster::abrir(3, &[]) else { return };
    let urls = cluster.urls();
    let servidor = servidor(&urls, "s1", &["--estoque", "5"]);
    let mut cliente = servidor.cliente();
    assert_eq!(cliente.pede("COMPRAR"), "Compra realizada. Estoque restante: 4");
    cluster.derrubar(0);
    cluster.derrubar(1);
    let fora = "ERRO: Estoque fora de alcance. Nada foi vendido, tente de novo";
    assert_eq!(cliente.pede("CONSULTAR"), fora);
    assert!(cliente.pede("AJUDA").starts_with("Comandos:"));
    servidor.registro().ate("o alcance", |texto| texto.contains("estoque: fora de alcance"));
    cluster.levantar(0);
    ate("o estoque voltar", || (cliente.pede("CONSULTAR") == "Estoque atual: 4").then_some(()));
    servidor.registro().ate("a volta", |texto| texto.contains("estoque: outra vez ao alcance"));
    let registro = servidor.registro().ate_agora();
    assert_eq!(registro.matches("estoque: fora de alcance").count(), 1, "{registro}");
}
