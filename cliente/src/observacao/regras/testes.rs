//! As regras diante de clientes inventados: o certo, e cada erro sozinho.

use std::time::Duration;

use super::*;
use crate::observacao::visto::{Atraso, Contagem, Modo, Resposta};

const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// Um usuário que faz `ciclos` ciclos a partir de `inicio`: decide por `decisao(ciclo)` ms e escuta por `escuta` ms.
fn usuario(inicio: u64, ciclos: u64, decisao: impl Fn(u64) -> u64, escuta: u64) -> Conexao {
    let mut agora = inicio;
    let mut conexao = Conexao { chegou: ms(inicio), ..Conexao::default() };
    for ciclo in 0..ciclos {
        for (compra, espera) in [(false, decisao(ciclo)), (true, escuta)] {
            let resposta = if compra { Resposta::Vendida(500) } else { Resposta::Estoque(500) };
            conexao.pedidos.push(Pedido {
                compra,
                quando: ms(agora),
                respondido: Some(ms(agora + 1)),
                resposta,
                atrasado: false,
            });
            agora += 1 + espera;
        }
    }
    conexao.saiu = Some(ms(agora));
    conexao
}

fn visto(conexoes: Vec<Conexao>) -> Visto {
    let fim = conexoes.iter().filter_map(|conexao| conexao.saiu).max().unwrap_or_default();
    Visto { conexoes, terminou: Some(fim), duracao: fim, ..Visto::default() }
}

fn variada(ciclo: u64) -> u64 {
    500 + ciclo * 200
}

fn certo() -> Visto {
    visto((0..6).map(|n| usuario(n * 10, 10 + n, variada, 6000)).collect())
}

fn estado(visto: &Visto, chave: &str) -> Estado {
    let exigencias = conferir(visto, None, Escala(1.0));
    exigencias.into_iter().find(|exigencia| exigencia.chave == chave).unwrap().estado
}

fn o_que_se_viu(visto: &Visto, chave: &str) -> String {
    let exigencias = conferir(visto, None, Escala(1.0));
    exigencias.into_iter().find(|exigencia| exigencia.chave == chave).unwrap().viu
}

fn acusadas(visto: &Visto) -> Vec<&'static str> {
    let exigencias = conferir(visto, None, Escala(1.0));
    let acusadas = exigencias.iter().filter(|e| e.estado == Estado::NaoCumprido);
    acusadas.map(|exigencia| exigencia.chave).collect()
}

#[test]
fn do_cliente_certo_nada_se_acusa_e_de_quem_nada_fez_tambem_nao() {
    let certo = certo();
    assert!(acusadas(&certo).is_empty());
    for chave in
        ["simultaneos", "aberta", "consulta-antes", "decisao", "escuta", "ciclos", "ciclos-variam"]
    {
        assert_eq!(estado(&certo, chave), Estado::Cumprido, "{chave}");
    }
    assert_eq!(acusadas(&Visto::default()), [""; 0]);
}

#[test]
fn cada_erro_acusa_so_a_sua_exigencia() {
    let todos = |ciclos: fn(u64) -> u64, decisao: fn(u64) -> u64, escuta| {
        visto((0..6).map(|n| usuario(n * 10, ciclos(n), decisao, escuta)).collect())
    };
    assert_eq!(acusadas(&todos(|n| 3 + n % 3, variada, 6000)), ["ciclos"]);
    assert_eq!(acusadas(&todos(|n| 15 + n * 2, variada, 6000)), ["ciclos"], "25 é demais");
    assert_eq!(acusadas(&todos(|_| 12, variada, 6000)), ["ciclos-variam"]);
    assert_eq!(acusadas(&todos(|n| 10 + n, |_| 1000, 6000)), ["decisao"]);
    assert_eq!(acusadas(&todos(|n| 10 + n, |_| 0, 6000)), ["decisao"]);
    assert_eq!(acusadas(&todos(|n| 10 + n, variada, 4000)), ["escuta"]);
    assert_eq!(acusadas(&todos(|n| 10 + n, variada, 60_000)), [""; 0], "esperar mais não se acusa");
    let mut sem_consulta = certo();
    sem_consulta.conexoes.iter_mut().for_each(|c| c.pedidos.retain(|pedido| pedido.compra));
    assert_eq!(acusadas(&sem_consulta), ["consulta-antes"]);
    let seguidos = (0..3).map(|n| usuario(n * 200_000, 10 + n, variada, 6000)).collect();
    assert_eq!(acusadas(&visto(seguidos)), ["simultaneos"]);
    let mut seguidos =
        visto(vec![usuario(0, 12, variada, 6000), usuario(200_000, 12, variada, 6000)]);
    seguidos.conexoes[0].saiu = Some(ms(200_010));
    assert_eq!(acusadas(&seguidos), ["simultaneos"], "a troca não é simultaneidade");
}

#[test]
fn um_atraso_do_sistema_nao_e_uma_escuta_curta_e_com_poucos_usuarios_o_mesmo_numero_e_sorte() {
    let certo = visto(vec![usuario(0, 12, variada, 4990), usuario(5, 12, variada, 4990)]);
    assert_eq!(estado(&certo, "escuta"), Estado::Cumprido);
    assert_eq!(estado(&certo, "ciclos-variam"), Estado::NaoSeViu);
}

#[test]
fn uma_conexao_por_ciclo_tambem_serve_e_quem_fecha_na_hora_nao() {
    let por_ciclo = |escuta: u64| {
        let de_um = |n: u64| {
            let ciclo = move |vez| usuario(n * 10 + vez * 20_000, 1, move |_| variada(vez), escuta);
            (0..10 + n).map(ciclo)
        };
        let mut conexoes: Vec<Conexao> = (0..3).flat_map(de_um).collect();
        conexoes.sort_by_key(|conexao| conexao.chegou);
        visto(conexoes)
    };
    assert_eq!(acusadas(&por_ciclo(6000)), [""; 0]);
    assert_eq!(estado(&por_ciclo(6000), "ciclos"), Estado::Cumprido);
    assert_eq!(acusadas(&por_ciclo(3)), ["aberta", "escuta"]);
}

/// O estoque acaba na compra do quinto ciclo de todos; cada um ouviu o AVISO.
fn com_aviso(no_console: &[(u64, usize)]) -> Visto {
    let mut visto = certo();
    let esgotou = visto.conexoes.iter().map(|c| c.pedidos[9].quando).max().unwrap() + ms(5);
    visto.esgotou = Some(esgotou);
    visto.conexoes.iter_mut().for_each(|conexao| conexao.aviso = Some(esgotou));
    let contagem = |(depois, exatos): &(u64, usize)| Contagem {
        desde: esgotou + ms(depois.saturating_sub(20)),
        quando: esgotou + ms(*depois),
        exatos: *exatos,
        parecidos: *exatos,
    };
    visto.avisos_no_console = no_console.iter().map(contagem).collect();
    visto
}

#[test]
fn o_aviso_tem_de_aparecer_e_logo() {
    assert_eq!(estado(&com_aviso(&[(50, 4), (90, 6)]), "aviso"), Estado::Cumprido);
    assert_eq!(
        estado(&com_aviso(&[(50, 4)]), "aviso"),
        Estado::NaoSeViu,
        "um console junta linhas"
    );
    assert_eq!(estado(&com_aviso(&[(5000, 6)]), "aviso"), Estado::NaoCumprido);
    assert_eq!(estado(&com_aviso(&[]), "aviso"), Estado::NaoCumprido);
    let mut com_outras_palavras = com_aviso(&[(50, 0)]);
    com_outras_palavras.avisos_no_console[0].parecidos = 3;
    assert_eq!(estado(&com_outras_palavras, "aviso"), Estado::NaoSeViu);
    assert_eq!(estado(&certo(), "aviso"), Estado::NaoSeViu, "o estoque não acabou");
}

#[test]
fn quem_parou_porque_o_estoque_acabou_nao_fez_poucos_ciclos() {
    let mut visto = certo();
    for conexao in &mut visto.conexoes {
        conexao.pedidos.truncate(8);
        conexao.aviso = conexao.pedidos.last().and_then(|pedido| pedido.respondido);
    }
    assert_eq!(estado(&visto, "ciclos"), Estado::NaoSeViu);
}

#[test]
fn so_se_acusa_um_tropeco_se_todos_cairam_ou_se_calaram_nele() {
    let mut visto = certo();
    visto.conexoes[1].modo = Modo::SemFimDeLinha;
    assert_eq!(estado(&visto, "sem-fim-de-linha"), Estado::Cumprido);
    visto.conexoes[1].pedidos.truncate(1);
    visto.excecao = Some("ValueError".into());
    assert_eq!(estado(&visto, "sem-fim-de-linha"), Estado::NaoSeViu, "saiu muito depois");
    visto.conexoes[1].saiu = Some(visto.conexoes[1].pedidos[0].quando + ms(100));
    assert_eq!(estado(&visto, "sem-fim-de-linha"), Estado::NaoCumprido);
    visto.excecao = None;
    assert_eq!(estado(&visto, "sem-fim-de-linha"), Estado::NaoSeViu, "sem exceção, não se sabe");
    (visto.conexoes[1].saiu, visto.terminou) = (None, None);
    assert_eq!(estado(&visto, "sem-fim-de-linha"), Estado::NaoCumprido, "ficou calado");
}

#[test]
fn o_servidor_que_fecha_se_aguenta_terminando_ou_voltando() {
    let fecha = |excecao: Option<&str>, terminou, console_depois_de_fechar| {
        let fechou_tudo = Some(ms(1000));
        let excecao = excecao.map(Into::into);
        let visto =
            Visto { fechou_tudo, excecao, terminou, console_depois_de_fechar, ..Visto::default() };
        tropecos::fecha(Some(&visto)).0
    };
    assert_eq!(fecha(None, Some(ms(1500)), 0), Estado::Cumprido);
    assert_eq!(fecha(Some("BrokenPipeError"), Some(ms(1500)), 0), Estado::NaoCumprido);
    assert_eq!(fecha(None, None, 0), Estado::NaoSeViu);
    assert_eq!(fecha(None, None, 1_000_000), Estado::NaoCumprido);
    assert_eq!(tropecos::fecha(None).0, Estado::NaoSeViu);
}

#[test]
fn quem_foi_encerrado_no_meio_nao_fez_ciclos_de_menos_nem_todos_iguais() {
    let mut visto = visto((0..6).map(|n| usuario(n * 10, 12, variada, 6000)).collect());
    assert_eq!(acusadas(&visto), ["ciclos-variam"]);
    visto.terminou = None;
    visto.conexoes.iter_mut().for_each(|conexao| conexao.saiu = None);
    assert_eq!(acusadas(&visto), [""; 0]);
}

#[test]
fn quem_deixa_de_escutar_ao_ouvir_o_aviso_ou_a_recusa_nao_escutou_pouco() {
    let mut visto = visto((0..6).map(|n| usuario(n * 10, 10 + n, variada, 100)).collect());
    assert_eq!(acusadas(&visto), ["escuta"]);
    for pedido in visto.conexoes.iter_mut().flat_map(|c| &mut c.pedidos).filter(|p| p.compra) {
        pedido.resposta = Resposta::Esgotado;
    }
    assert_eq!(estado(&visto, "escuta"), Estado::NaoSeViu);
}

#[test]
fn quem_pede_por_uma_conexao_e_escuta_por_outra_nao_se_acusa() {
    let pedidos = (0..6).map(|n| usuario(n * 10, 1, move |_| variada(n), 3));
    let mut visto = visto(pedidos.collect());
    assert_eq!(acusadas(&visto), ["aberta", "escuta", "ciclos"]);
    visto.conexoes.push(Conexao { saiu: Some(ms(60_000)), ..Conexao::default() });
    assert_eq!(acusadas(&visto), ["ciclos"]);
}

const fn atraso(de: u64, ate: u64) -> Atraso {
    Atraso { de: ms(de), ate: ms(ate) }
}

#[test]
fn o_aviso_que_a_maquina_atrasou_nao_se_acusa_e_o_que_o_cliente_atrasou_sim() {
    let com = |demora: u64, parou: u64| {
        let mut visto = com_aviso(&[(demora, 6)]);
        let esgotou = visto.esgotou.unwrap_or_default();
        visto.atrasos = vec![Atraso { de: esgotou, ate: esgotou + ms(parou) }];
        visto
    };
    assert_eq!(estado(&com(3000, 1500), "aviso"), Estado::NaoSeViu);
    assert_eq!(
        estado(&com(8000, 1500), "aviso"),
        Estado::NaoCumprido,
        "a máquina não explica tanto"
    );
    assert_eq!(estado(&com(3000, 100), "aviso"), Estado::NaoCumprido);
    let exigencias = conferir(&com(3000, 1500), None, Escala(1.0));
    let aviso = exigencias.iter().find(|exigencia| exigencia.chave == "aviso");
    let viu = aviso.map(|aviso| aviso.viu.as_str()).unwrap_or_default();
    assert!(viu.contains("a máquina estava ocupada") && viu.contains("1,50 s"), "{viu}");
}

#[test]
fn o_aviso_que_apareceu_enquanto_se_olhava_nao_e_de_antes_nem_tarde() {
    let mut visto = com_aviso(&[(30, 6)]);
    let esgotou = visto.esgotou.unwrap_or_default();
    // Começou-se a olhar antes de o estoque acabar, e só se acabou depois.
    visto.avisos_no_console[0].desde = esgotou - ms(20);
    assert_eq!(estado(&visto, "aviso"), Estado::Cumprido);
    visto.avisos_no_console[0].quando = esgotou + ms(4000);
    assert_eq!(estado(&visto, "aviso"), Estado::Cumprido, "pode ter aparecido logo");
}

#[test]
fn o_aviso_que_nao_houve_tempo_de_mostrar_nao_se_acusa() {
    let mut visto = com_aviso(&[]);
    let esgotou = visto.esgotou.unwrap_or_default();
    (visto.terminou, visto.duracao) = (None, esgotou + ms(1500));
    assert_eq!(estado(&visto, "aviso"), Estado::NaoSeViu);
    visto.duracao = esgotou + ms(4000);
    assert_eq!(estado(&visto, "aviso"), Estado::NaoCumprido);
    visto.atrasos = vec![Atraso { de: esgotou + ms(20), ate: esgotou + ms(3000) }];
    assert_eq!(estado(&visto, "aviso"), Estado::NaoSeViu);
}

#[test]
fn a_escuta_que_se_anotou_tarde_nao_e_curta() {
    let com_escuta_de =
        |escuta| visto((0..6).map(|n| usuario(n, 10 + n, variada, escuta)).collect());
    for (escuta, julgada) in [(4600, Estado::Cumprido), (2000, Estado::NaoCumprido)] {
        let mut visto = com_escuta_de(escuta);
        assert_eq!(estado(&visto, "escuta"), Estado::NaoCumprido);
        let pedidos = visto.conexoes.iter().flat_map(|conexao| &conexao.pedidos);
        let compras = pedidos.filter(|pedido| pedido.compra).map(|pedido| pedido.quando);
        let atrasos: Vec<Atraso> = compras.map(|ate| Atraso { de: ate - ms(400), ate }).collect();
        visto.atrasos = atrasos;
        visto.atrasos.sort_by_key(|atraso| atraso.ate);
        assert_eq!(estado(&visto, "escuta"), julgada, "{escuta}");
    }
}

#[test]
fn a_decisao_so_se_diz_fixa_pelas_esperas_que_a_maquina_deixou_em_paz() {
    let mut fixa = visto((0..6).map(|n| usuario(n * 10, 10 + n, |_| 1000, 6000)).collect());
    fixa.atrasos = vec![atraso(0, 300)];
    assert_eq!(estado(&fixa, "decisao"), Estado::NaoCumprido, "uma só não muda nada");
    fixa.atrasos = (0..200).map(|n| atraso(n * 500, n * 500 + 30)).collect();
    assert_eq!(estado(&fixa, "decisao"), Estado::NaoSeViu);
    let mut varia = certo();
    varia.atrasos.clone_from(&fixa.atrasos);
    assert_eq!(estado(&varia, "decisao"), Estado::Cumprido, "varia mais do que a máquina atrasa");
}

#[test]
fn a_conexao_que_se_viu_fechar_tarde_ainda_e_a_anterior_do_mesmo_usuario() {
    let de_um = |n: u64| {
        (0..12).map(move |vez| {
            let conexao = usuario(n * 10 + vez * 8000, 1, move |_| variada(vez), 7000);
            Conexao { saiu: Some(ms(n * 10 + (vez + 1) * 8000 + 400)), ..conexao }
        })
    };
    let mut conexoes: Vec<Conexao> = (0..3).flat_map(de_um).collect();
    conexoes.sort_by_key(|conexao| conexao.chegou);
    let mut visto = visto(conexoes);
    assert_eq!(estado(&visto, "ciclos"), Estado::NaoCumprido, "parecem outros usuários");
    visto.atrasos = (1..13).map(|vez| atraso(vez * 8000 - 10, vez * 8000 + 420)).collect();
    assert_eq!(visto.usuarios().conexoes.len(), 3);
    assert_eq!(acusadas(&visto), [""; 0]);
}

#[test]
fn quem_parou_quando_a_maquina_fez_esperar_pode_ter_desistido_por_isso() {
    let mut visto = visto((0..6).map(|n| usuario(n * 10, 4 + n % 2, variada, 6000)).collect());
    assert_eq!(acusadas(&visto), ["ciclos"]);
    let ultimo = |conexao: &Conexao| conexao.pedidos.last().map(|pedido| pedido.quando);
    let mut ultimos: Vec<Duration> = visto.conexoes.iter().filter_map(ultimo).collect();
    ultimos.sort_unstable();
    visto.atrasos = ultimos.iter().map(|de| Atraso { de: *de, ate: *de + ms(300) }).collect();
    assert_eq!(estado(&visto, "ciclos"), Estado::NaoSeViu);
}

#[test]
fn a_excecao_de_quem_a_maquina_fez_esperar_nao_e_do_tropeco() {
    let mut visto = certo();
    visto.excecao = Some("TimeoutError".into());
    let conexao = &mut visto.conexoes[1];
    conexao.modo = Modo::SemFimDeLinha;
    conexao.pedidos.truncate(1);
    let pediu = conexao.pedidos[0].quando;
    conexao.saiu = Some(pediu + ms(1200));
    assert_eq!(estado(&visto, "sem-fim-de-linha"), Estado::NaoCumprido);
    visto.atrasos = vec![Atraso { de: pediu, ate: pediu + ms(1100) }];
    assert_eq!(estado(&visto, "sem-fim-de-linha"), Estado::NaoSeViu);
}

#[test]
fn quem_acaba_de_fechar_as_conexoes_ainda_pode_terminar() {
    let mut visto = certo();
    let ultima = visto.duracao;
    (visto.terminou, visto.duracao) = (None, ultima + ms(3000));
    assert_eq!(estado(&visto, "termina"), Estado::NaoSeViu);
    visto.duracao = ultima + ms(8000);
    assert_eq!(estado(&visto, "termina"), Estado::NaoCumprido);
    visto.atrasos = vec![Atraso { de: ultima, ate: ultima + ms(6000) }];
    assert_eq!(estado(&visto, "termina"), Estado::NaoSeViu);
}

#[test]
fn uma_conexao_so_por_breve_que_seja_nao_e_simultaneidade_e_de_varias_breves_nao_se_sabe() {
    let breve = |inicio| usuario(inicio, 1, |_| 3, 3);
    assert_eq!(estado(&visto(vec![breve(0)]), "simultaneos"), Estado::NaoCumprido);
    assert_eq!(estado(&visto(vec![breve(0), breve(2)]), "simultaneos"), Estado::NaoSeViu);
}

/// Seis usuários: em `ciclos(n)` ciclos, o usuário `n` consulta tantas vezes e compra se `compra(ciclo)`.
fn que_consultam(ciclos: fn(u64) -> u64, consultas: usize, compra: fn(u64) -> bool) -> Visto {
    let de_um = |n: u64| {
        let mut conexao = usuario(n * 10, ciclos(n), variada, 6000);
        let pedidos = conexao.pedidos.chunks(2).zip(0..).flat_map(|(par, ciclo)| {
            let compra = par.iter().skip(1).filter(move |_| compra(ciclo));
            std::iter::repeat_n(&par[0], consultas).chain(compra).copied()
        });
        conexao.pedidos = pedidos.collect();
        conexao
    };
    visto((0..6).map(de_um).collect())
}

#[test]
fn um_ciclo_sem_compra_tambem_e_um_ciclo() {
    let as_vezes = que_consultam(|n| 10 + 2 * n, 1, |ciclo| ciclo % 2 == 0);
    assert_eq!(acusadas(&as_vezes), [""; 0]);
    assert_eq!(estado(&as_vezes, "ciclos"), Estado::Cumprido);
    let viu = "6 usuários, de 10 a 20 CONSULTAR e de 5 a 10 COMPRAR cada um";
    assert_eq!(o_que_se_viu(&as_vezes, "ciclos"), viu);
    let fixos = que_consultam(|_| 12, 1, |ciclo| ciclo % 2 == 0);
    assert_eq!(acusadas(&fixos), ["ciclos-variam"]);
    let poucos = que_consultam(|n| 5 + n % 4, 1, |ciclo| ciclo % 2 == 0);
    assert_eq!(acusadas(&poucos), ["ciclos"]);
}

#[test]
fn quem_consulta_mais_de_uma_vez_por_ciclo_conta_pelas_compras() {
    let duas = que_consultam(|n| 11 + n, 2, |_| true);
    assert_eq!(acusadas(&duas), [""; 0]);
    assert_eq!(estado(&duas, "ciclos"), Estado::Cumprido);
    assert_eq!(acusadas(&que_consultam(|n| 21 + n, 2, |_| true)), ["ciclos"]);
    let muitas = que_consultam(|n| 4 + n, 6, |_| true);
    assert_eq!(estado(&muitas, "ciclos"), Estado::NaoSeViu, "podem ser de 4 a 54");
    let mut limitadas = que_consultam(|n| 12 + n, 1, |ciclo| ciclo < 12);
    assert_eq!(estado(&limitadas, "ciclos-variam"), Estado::NaoSeViu, "todos compraram doze vezes");
    limitadas.conexoes[0].pedidos.pop();
    assert_eq!(estado(&limitadas, "ciclos-variam"), Estado::Cumprido);
}

#[test]
fn de_quem_ficou_calado_diz_se_em_que_parou_e_nao_que_o_tempo_foi_pouco() {
    let mut visto = certo();
    let ultima = visto.duracao;
    visto.terminou = None;
    let preso = &mut visto.conexoes[1];
    preso.modo = Modo::SemFimDeLinha;
    preso.pedidos.truncate(1);
    preso.saiu = None;
    visto.duracao = ultima + ms(1000);
    visto.atrasos = vec![atraso(100, 400)];
    assert_eq!(estado(&visto, "termina"), Estado::NaoSeViu);
    let viu = o_que_se_viu(&visto, "termina");
    assert!(viu.contains("1 de 6 conexões continuava aberta, calada há pelo menos"), "{viu}");
    assert!(viu.ends_with("mandou sem fim de linha"), "{viu}");
    visto.conexoes[5].saiu = None;
    let viu = o_que_se_viu(&visto, "termina");
    assert!(viu.contains("e o tempo que se lhe deu acabou antes"), "ainda escutava: {viu}");
    visto.duracao = ultima + ms(40_000);
    let viu = o_que_se_viu(&visto, "termina");
    let partes = "1 depois da primeira resposta, que o observador mandou sem fim de linha; 1 depois da resposta a COMPRAR";
    assert!(viu.ends_with(partes), "{viu}");
}

#[test]
fn um_so_se_diz_no_singular() {
    let mut dois = com_aviso(&[(50, 1)]);
    dois.conexoes.truncate(2);
    let viu = o_que_se_viu(&dois, "aviso");
    assert!(viu.starts_with("de 2 que escutavam, apareceu 1 vez logo"), "{viu}");
    let iguais = visto((0..6).map(|n| usuario(n, 10 + n, |_| 1000, 6000)).collect());
    let viu = o_que_se_viu(&iguais, "decisao");
    assert!(viu.starts_with("entre CONSULTAR e COMPRAR, quase sempre 1,00 s:"), "{viu}");
    let viu = o_que_se_viu(&iguais, "escuta");
    assert_eq!(viu, "depois de COMPRAR, a conexão ficou 6,00 s sem pedir");
    let um = visto(vec![usuario(0, 1, variada, 6000)]);
    assert_eq!(o_que_se_viu(&um, "aberta"), "1 conexão continuou aberta depois da compra");
}
